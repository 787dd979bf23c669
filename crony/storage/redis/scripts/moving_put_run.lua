-- Keep runs as they were elsewhere, in order, until one is refused.
-- Answers for each whether it was kept, and the refusal.
-- parts: moving
local kept, refusal = {}, nil
settling.keep_policies(args.policies)
for n, item in ipairs(args.items) do
  local run = item.run
  local before = runs.find(run.id)
  if before and not moving.may_go(before) then
    kept[n] = false
  else
    refusal = moving.refusal_of_run(run)
    if refusal then
      break
    end
    if before then
      moving.remove(before)
    end
    moving.put_run(item)
    kept[n] = true
  end
end
admission.finish()
return pack({kept, {refused = refusal}})
