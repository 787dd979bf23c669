-- List schedules by id with all that is kept of them, from an id on; one more than
-- asked for.
-- parts: moving
-- reads
local from = args.after and '(' .. args.after or '-'
local found = {}
for n, id in ipairs(call('ZRANGE', P .. 'schedules', from, '+', 'BYLEX', 'LIMIT', 0,
                         args.limit + 1)) do
  found[n] = moving.schedule(id)
end
return pack(found)
