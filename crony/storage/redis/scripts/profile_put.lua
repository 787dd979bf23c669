-- Create or replace a profile; answer whether it counted.
-- parts: named
local stored = named.find('profiles', args.profile.name)
if not named.expected(stored, args.expected) then
  return pack(false)
end
named.put('profiles', args.profile)
return pack(true)
