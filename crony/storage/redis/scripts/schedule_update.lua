-- Replace a schedule by its next revision, if it is as expected.
-- parts: settling, references
local it = args.schedule
local stored = schedules.current(args.expected)
if not stored then
  return pack({false, {}})
end
local missing = settling.prepare(args.settled)
local refusal = missing and {'NotFound', 'definition', missing}
  or references.refusal(it) or references.missing(it)
if refusal then
  return pack({refused = refusal})
end
settling.keep_policies(args.policies)
it.created_at = stored.created_at
it.occurrences = stored.occurrences + settling.settle_all(args.settled, args.now)
it.occurrences = it.occurrences - settling.withdraw(it.id, args.now)
schedules.define(it, args.definition, args.requires, args.limit)
schedules.put(it)
if it.revision ~= stored.revision or it.held ~= stored.held or it.rules ~= stored.rules
then
  schedules.begin_version(it, args.now)
end
if it.paused ~= stored.paused then
  events.of_schedule(it.paused and 'paused' or 'resumed', it, args.now)
elseif it.revision ~= stored.revision then
  events.of_schedule('updated', it, args.now)
end
if stored.cursor and not it.cursor then
  events.of_schedule('finished', it, args.now)
end
runs.touched[it.id] = true
return pack({true, admission.finish()})
