-- List things of a kind by name, from a name on; one more than asked for.
-- parts: named
-- reads
local names = P .. args.kind .. ':' .. (args.names or 'names')
local from = args.after and '(' .. args.after or '-'
local found = {}
for _, name in ipairs(call('ZRANGE', names, from, '+', 'BYLEX', 'LIMIT', 0,
                           args.limit + 1)) do
  found[#found + 1] = named.find(args.kind, name)
end
return pack(found)
