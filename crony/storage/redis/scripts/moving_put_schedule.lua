-- Keep schedules as they were elsewhere, in order, until one is refused.
-- Answers for each whether it was kept, and the refusal.
-- parts: moving
local kept, refusal = {}, nil
for n, item in ipairs(args.items) do
  if schedules.used(item.id) and not tenants.held() then
    kept[n] = false
  else
    refusal = item.record and moving.refusal(item.record)
    if refusal then
      break
    end
    moving.put_schedule(item)
    kept[n] = true
  end
end
admission.finish()
return pack({kept, {refused = refusal}})
