-- Keep a run as it was elsewhere; answer whether its id is new.
-- parts: moving
local run = args.item.run
if runs.exists(run.id) then
  return pack(false)
elseif not schedules.used(run.schedule) then
  return base.refused('NotFound', 'schedule', run.schedule)
end
local missing = settling.prepare({run})
if missing then
  return base.refused('NotFound', 'definition', missing)
end
settling.keep_policies(args.policies)
moving.put_run(args.item)
admission.finish()
return pack(true)
