-- Keep a run as it was elsewhere; answer whether it was kept.
-- parts: moving
local run = args.item.run
local before = runs.find(run.id)
if before and not moving.may_go(before) then
  return pack(false)
elseif not schedules.used(run.schedule) then
  return base.refused('NotFound', 'schedule', run.schedule)
end
local missing = settling.prepare({run})
if missing then
  return base.refused('NotFound', 'definition', missing)
end
if before then
  moving.remove(before)
end
settling.keep_policies(args.policies)
moving.put_run(args.item)
admission.finish()
return pack(true)
