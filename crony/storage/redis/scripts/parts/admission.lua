-- Which runs of a schedule may be leased: see the contract.
--
-- Those that wait are in two sets by text, in the order of admission: what is
-- admitted, and behind it what is queued. So a change costs what it changes, however
-- many wait.
-- parts: runs, places

local admission = {}

-- Return how many runs of a schedule may be in workers' hands.
function admission.limit(schedule)
  return tonumber(call('HGET', P .. 'limits', schedule) or '0')
end

local function first(key)
  return call('ZRANGE', key, 0, 0)[1]
end

local function last(key)
  return call('ZRANGE', key, -1, -1)[1]
end

local function turn(member, admitted)
  runs.admit(runs.find(member:sub(17)), admitted)
end

local function admit(schedule)
  local of = P .. 'schedule:' .. schedule .. ':'
  local admitted, queued = of .. 'admitted', of .. 'queued'
  local free = math.max(0, admission.limit(schedule) - call('ZCARD', of .. 'held'))
  while call('ZCARD', admitted) > free do
    turn(last(admitted), false)
  end
  local next = first(queued)
  while next and call('ZCARD', admitted) < free do
    turn(next, true)
    next = first(queued)
  end
  local latest = last(admitted)
  while next and latest and next < latest do
    turn(latest, false)
    turn(next, true)
    next, latest = first(queued), last(admitted)
  end
end

-- Admit anew where runs were put, write them, and return the queues to be told of.
function admission.finish()
  for schedule in pairs(runs.touched) do
    admit(schedule)
  end
  places.freed()
  runs.write()
  return lines.told()
end
