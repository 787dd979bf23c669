-- Store new schedules, each by itself; answer for each whether its id was new.
-- parts: references
local results = {}
for n, item in ipairs(args.items) do
  local it = item.schedule
  if schedules.used(it.id) then
    results[n] = false
  else
    local refusal = references.refusal(it)
    if not refusal and args.quota
       and call('ZCARD', P .. 'by:created') >= args.quota then
      refusal = {'ScheduleQuota', args.quota}
    end
    refusal = refusal or references.missing(it)
    if refusal then
      results[n] = {refused = refusal}
    else
      schedules.put(it)
      schedules.define(it, item.definition, item.requires, item.limit)
      schedules.begin_version(it, it.created_at - 1)
      events.of_schedule('created', it, it.created_at)
      results[n] = true
    end
  end
end
return pack(results)
