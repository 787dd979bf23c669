-- Keep a schedule as it was elsewhere; answer whether it was kept.
-- parts: moving
local item = args.item
if schedules.used(item.id) and not tenants.held() then
  return pack(false)
end
local refusal = item.record and moving.refusal(item.record)
if refusal then
  return base.refused(unpack(refusal))
end
moving.put_schedule(item)
admission.finish()
return pack(true)
