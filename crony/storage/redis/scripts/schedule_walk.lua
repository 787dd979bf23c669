-- Look at ids above one, of dead schedules too; answer how many, the last, and those
-- schedules that are alive and have a cursor; with `there`, those instead that have
-- runs, and dead ones of which anything is left.
-- parts: schedules
-- reads
local from = args.after and '(' .. args.after or '-'
local ids = call('ZRANGE', P .. 'schedules', from, '+', 'BYLEX', 'LIMIT', 0, args.limit)
local found = {}
for _, id in ipairs(ids) do
  local it = schedules.find(id)
  if args.there then
    local left = call('EXISTS', schedules.key(id) .. ':runs',
                      schedules.key(id) .. ':hooks')
    if left > 0 or (not it and call('EXISTS', schedules.key(id)) > 0) then
      found[#found + 1] = {id = id, schedule = it and schedules.whole(it)}
    end
  elseif it and it.cursor then
    found[#found + 1] = schedules.whole(it)
  end
end
return pack({#ids, ids[#ids] or false, found})
