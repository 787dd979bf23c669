-- Store a run that no occurrence made; an offer may have to give way to it.
-- Answers whether its id was new, the queues to tell, and the workers to tell.
-- parts: settling, recalling
local run = args.run
if runs.exists(run.id) then
  return pack({false, {}, {}})
elseif not schedules.find(run.schedule) then
  return base.refused('NotFound', 'schedule', run.schedule)
end
local pending = call('ZCARD', P .. 'runs:pending')
if args.quota and pending + 1 > args.quota then
  return base.refused('RunQuota', pending, args.quota, 1)
end
local missing = settling.prepare({run})
if missing then
  return base.refused('NotFound', 'definition', missing)
end
settling.keep_policies(args.policies)
local workers = recalling.recall_for(run, args.now, args.ahead)
runs.put(run, args.now)
return pack({true, admission.finish(), workers})
