-- List groups whose pause or resume is not carried over, by name.
-- parts: groups
-- reads
local found = {}
for _, name in ipairs(call('ZRANGE', P .. 'groups:uncarried', 0, args.limit - 1)) do
  found[#found + 1] = groups.find(name)
end
return pack(found)
