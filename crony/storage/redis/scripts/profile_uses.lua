-- Count who refers to profiles, in the order of their names.
-- parts: profiles
-- reads
local counts = {}
for n, name in ipairs(args.names) do
  counts[n] = profiles.uses(name)
end
return pack(counts)
