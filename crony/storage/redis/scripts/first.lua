-- Return the earliest instants of sets by instant: the least score of each, or false.
-- reads
local found = {}
for n, key in ipairs(args.keys) do
  local first = call('ZRANGE', P .. key, 0, 0, 'WITHSCORES')
  found[n] = tonumber(first[2]) or false
end
return pack(found)
