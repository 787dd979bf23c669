-- Remove a group; answer whether it counted, or how many schedules it has.
-- parts: groups
local stored = groups.find(args.name)
if not stored or stored.revision ~= args.expected then
  return pack({counted = false})
end
local schedules = groups.schedules(args.name)
if schedules > 0 then
  return pack({counted = false, schedules = schedules})
end
groups.drop(stored)
return pack({counted = true})
