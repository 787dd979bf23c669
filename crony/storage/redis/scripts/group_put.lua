-- Create or replace a group; answer whether it counted, and the queues it frees.
-- parts: places, profiles
local group = args.group
local stored = groups.find(group.name)
if not named.expected(stored, args.expected) then
  return pack({counted = false, ready = {}})
end
if not profiles.there(group.profile) then
  return base.refused('NotFound', 'profile', group.profile)
end
local stuck = places.stuck()
groups.put(group, stored)
return pack({counted = true, ready = places.unstuck(stuck)})
