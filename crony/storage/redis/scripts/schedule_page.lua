-- List schedules in an order, from a place on, as far as one look goes.
-- Answers those that match, and the place to go on from, if there is more.
-- parts: schedules
-- reads
local LOOK = 500
local query = args.query

local function failing(it)
  local outcome = call('HGET', schedules.key(it.id), 'outcome')
  return outcome and outcome:sub(1, 1) == '1' or false
end

local function matches(it)
  for _, name in ipairs({'group', 'queue', 'state', 'trigger'}) do
    if query[name] and query[name] ~= it[name] then
      return false
    end
  end
  if query.text and not (it.folded or ''):find(query.text, 1, true) then
    return false
  end
  if query.label and cjson.decode(it.labels)[query.label[1]] ~= query.label[2] then
    return false
  end
  return query.failing == nil or query.failing == failing(it)
end

-- The id is what follows the value of a place.
local function id_of(member)
  if member:sub(1, 1) == '1' then
    return member:sub(2)
  elseif args.by == 'by:name' then
    return member:match('^.*%z(.*)$')
  end
  return member:sub(17)
end

local found = {}
local from = args.after and '(' .. args.after or '-'
local members = call('ZRANGE', P .. args.by, from, '+', 'BYLEX', 'LIMIT', 0, LOOK)
for _, member in ipairs(members) do
  local it = schedules.find(id_of(member))
  if it and matches(it) then
    found[#found + 1] = schedules.whole(it)
    if #found > args.limit then
      break
    end
  end
end
return pack({found = found, next = #members == LOOK and members[LOOK] or nil})
