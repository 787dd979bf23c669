-- Store many runs of one schedule that no occurrence made, all or none.
-- parts: settling
local new, seen = {}, {}
for _, run in ipairs(args.runs) do
  if not seen[run.id] and not runs.exists(run.id) then
    seen[run.id] = true
    new[#new + 1] = run
  end
end
local pending = call('ZCARD', P .. 'runs:pending')
for _, run in ipairs(new) do
  if not schedules.find(run.schedule) then
    return base.refused('NotFound', 'schedule', run.schedule)
  elseif args.quota and pending + #new > args.quota then
    return base.refused('RunQuota', pending, args.quota, #new)
  end
end
local missing = settling.prepare(new)
if missing then
  return base.refused('NotFound', 'definition', missing)
end
settling.keep_policies(args.policies)
for _, run in ipairs(new) do
  runs.put(run, run.created_at)
end
return pack({#new, admission.finish()})
