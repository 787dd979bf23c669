-- Look at ids above one, of dead schedules too; answer how many, the last, and those
-- schedules that are alive; with `there`, what is left of the others as well.
-- parts: schedules
-- reads
local from = args.after and '(' .. args.after or '-'
local ids = call('ZRANGE', P .. 'schedules', from, '+', 'BYLEX', 'LIMIT', 0, args.limit)
local found = {}
for _, id in ipairs(ids) do
  local it = schedules.find(id)
  if args.there then
    local left = call('EXISTS', schedules.key(id), schedules.key(id) .. ':runs',
                      schedules.key(id) .. ':hooks')
    if left > 0 then
      found[#found + 1] = {id = id, schedule = it and schedules.whole(it)}
    end
  elseif it and it.cursor then
    found[#found + 1] = schedules.whole(it)
  end
end
return pack({#ids, ids[#ids] or false, found})
