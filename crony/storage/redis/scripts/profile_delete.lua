-- Remove a profile; answer whether it counted, or who refers to it.
-- parts: profiles
local stored = named.find('profiles', args.name)
if not stored or stored.revision ~= args.expected then
  return pack({counted = false})
end
local uses = profiles.uses(args.name)
if uses[1] + uses[2] + uses[3] > 0 then
  return pack({
    counted = false,
    schedules = call('HVALS', P .. 'profile:schedules:' .. args.name),
    groups = call('SMEMBERS', P .. 'groups:profile:' .. args.name),
    tenant = uses[3] == 1,
  })
end
named.drop('profiles', args.name)
return pack({counted = true})
