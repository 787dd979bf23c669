-- Find a tenant, some of its groups, and the profiles that it and these refer to.
-- parts: profiles, tenants
-- reads
local names, there = args.profiles, {}
names[#names + 1] = tenants.profile()
for _, name in ipairs(args.groups) do
  local group = named.find('groups', name)
  if group then
    there[#there + 1] = group
    names[#names + 1] = group.profile
  end
end
local found, seen = {}, {}
for _, name in ipairs(names) do
  if not seen[name] then
    seen[name] = true
    found[#found + 1] = named.find('profiles', name)
  end
end
return pack({tenant = tenants.document(), groups = there, profiles = found})
