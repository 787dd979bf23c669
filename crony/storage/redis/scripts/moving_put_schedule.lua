-- Keep a schedule as it was elsewhere; answer whether its id is new.
-- parts: moving
local item = args.item
if schedules.used(item.id) then
  return pack(false)
end
local refusal = item.record
  and (references.refusal(item.record) or references.missing(item.record))
if refusal then
  return base.refused(unpack(refusal))
end
moving.put_schedule(item)
return pack(true)
