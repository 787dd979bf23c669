-- List schedules with unfinished runs, hooks' runs apart, by id.
-- parts: schedules
-- reads
local found = {}
local after = args.after

-- Return the first schedule beyond `after` in a set of unfinished runs.
local function beyond(set)
  local from = after and '(' .. after .. '0' or '-'
  local member = call('ZRANGE', P .. set, from, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
  return member and member:match('^([^/]*)/')
end

while #found < args.limit do
  local one, other = beyond('open'), beyond('open:backfill')
  local id = (one and other) and (one < other and one or other) or one or other
  if not id then
    break
  end
  local it = schedules.find(id)
  if it then
    found[#found + 1] = schedules.whole(it)
  end
  after = id
end
return pack(found)
