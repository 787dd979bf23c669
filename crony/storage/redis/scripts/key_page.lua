-- List people's keys, oldest first, from a place on; one more than asked for.
-- parts: keys
-- reads
local from = args.after and '(' .. args.after or '-'
local found = {}
for _, place in ipairs(call('ZRANGE', P .. 'keys:made', from, '+', 'BYLEX',
                            'LIMIT', 0, args.limit + 1)) do
  found[#found + 1] = keys.find(place:sub(16))
end
return pack(found)
