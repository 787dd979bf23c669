-- Look at ids of schedules above one; answer how many, the last, and what is kept.
-- parts: moving
-- reads
local from = args.after and '(' .. args.after or '-'
local ids = call('ZRANGE', P .. 'schedules', from, '+', 'BYLEX', 'LIMIT', 0, args.limit)
local found = {}
for _, id in ipairs(ids) do
  found[#found + 1] = moving.schedule(id)
end
return pack({#ids, ids[#ids], found})
