-- Create or replace the tenant; answer whether it counted, and the queues it frees.
-- parts: places, profiles
local leaving = tenants.leaving()
if leaving then
  return pack({leaving = leaving})
end
if tenants.revision() ~= args.expected then
  return pack({counted = false, ready = {}})
end
if not profiles.there(args.tenant.profile) then
  return base.refused('NotFound', 'profile', args.tenant.profile)
end
local stuck = places.stuck()
tenants.put(args.tenant)
if not groups.find(args.group.name) then
  groups.put(args.group)
end
return pack({counted = true, ready = places.unstuck(stuck)})
