-- What may be leased: by lane, in the order of leasing.
--
-- A lane is what a run asks of a worker, as text: its queue, its group (none of a
-- hook's run, which no limit holds back), the rank of its sandbox's level and the
-- labels it requires, as JSON. An admitted pending run is in one of three places:
-- `now:` its lane when it was available, else `coming` by available_at; and when a
-- worker has asked for what is to come, `near:` its lane, and `nearing` by
-- available_at. Within a lane, those that catch up are apart: a worker takes few of
-- them. `lanes:<queue>` has the lanes with anything in `now:` or `near:`, `queues` the
-- queues with such lanes.
-- parts: rules

local lines = {ready = {}}

local LATE, TIMELY = '1:', '0:'
local counted = {}

-- Return the lane of a run whose definition requires these labels.
function lines.lane(run, requires)
  local group = run.origin == 'hook' and '' or run.group
  return table.concat({run.queue, group, base.digits(run.level), requires}, '|')
end

-- Return queue, group, level and labels (as JSON) of a lane.
function lines.parts(lane)
  return lane:match('^([^|]*)|([^|]*)|([^|]*)|(.*)$')
end

-- A run's place in its lane: text in the order of leasing. It ends with what it takes
-- to find the run, and to know when it is available.
local function place(run)
  return string.format('%03d', 100 - run.priority) .. base.sortable(rules.turn(run))
    .. (run.catch_up and '1' or '0') .. base.sortable(run.due_at) .. run.id .. ' '
    .. base.sortable(run.available_at)
end

-- Return the priority, id and available_at of a place.
function lines.placed(text)
  return 100 - tonumber(text:sub(1, 3)), text:sub(35, -17),
    base.instant(text:sub(-15))
end

local function keys(late, lane)
  local named = (late and LATE or TIMELY) .. lane
  return P .. 'now:' .. named, P .. 'near:' .. named
end

local function open(lane)
  local queue = lines.parts(lane)
  if call('SADD', P .. 'lanes:' .. queue, lane) == 1 then
    call('SADD', P .. 'queues', queue)
  end
end

-- Count a run that is offered, or is not any more; `lines.write` writes it.
local function count(run, by)
  local field = (run.origin == 'hook' and '' or run.group) .. '|' .. run.queue
  counted[field] = (counted[field] or 0) + by
end

-- Write in which groups and queues runs are offered.
function lines.write()
  for field, by in pairs(counted) do
    if by ~= 0 and call('HINCRBY', P .. 'offered', field, by) == 0 then
      call('HDEL', P .. 'offered', field)
    end
  end
  counted = {}
end

-- Let a run be offered from now on, which is to be told.
function lines.add(run)
  local now = keys(run.catch_up, run.lane)
  local at = place(run)
  if args.now and run.available_at <= args.now then
    call('ZADD', now, 0, at)
    open(run.lane)
  else
    call('ZADD', P .. 'coming', run.available_at, at .. run.lane)
  end
  count(run, 1)
  lines.ready[run.queue] = true
end

-- Let a run be offered no more.
function lines.remove(run)
  local now, near = keys(run.catch_up, run.lane)
  local at = place(run)
  if call('ZREM', now, at) == 0
     and call('ZREM', P .. 'coming', at .. run.lane) == 0 then
    call('ZREM', near, at)
    call('ZREM', P .. 'nearing', at .. run.lane)
  end
  count(run, -1)
end

-- The place and the lane of a member of `coming` or `nearing`.
local function split(member)
  local at = member:find(' ', 1, true) + 15
  return member:sub(1, at), member:sub(at + 1)
end

-- Let what is available by now, or will be by the horizon, be found in its lane.
function lines.ripen(now, horizon)
  for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'nearing', '-inf', now)) do
    local at, lane = split(member)
    local due, near = keys(at:sub(19, 19) == '1', lane)
    call('ZREM', near, at)
    call('ZADD', due, 0, at)
    open(lane)
  end
  call('ZREMRANGEBYSCORE', P .. 'nearing', '-inf', now)
  local last = math.max(now, horizon)
  local members = call('ZRANGEBYSCORE', P .. 'coming', '-inf', last, 'WITHSCORES')
  for n = 1, #members, 2 do
    local at, lane = split(members[n])
    local due, near = keys(at:sub(19, 19) == '1', lane)
    if tonumber(members[n + 1]) <= now then
      call('ZADD', due, 0, at)
    else
      call('ZADD', near, 0, at)
      call('ZADD', P .. 'nearing', members[n + 1], members[n])
    end
    open(lane)
  end
  call('ZREMRANGEBYSCORE', P .. 'coming', '-inf', last)
end

-- Return the lanes of a queue with anything in them, and forget the others.
function lines.of_queue(queue)
  local found = {}
  local key = P .. 'lanes:' .. queue
  for _, lane in ipairs(call('SMEMBERS', key)) do
    local now, near = keys(false, lane)
    local late, late_near = keys(true, lane)
    if call('EXISTS', now, near, late, late_near) > 0 then
      local _, group, level, requires = lines.parts(lane)
      found[#found + 1] = {
        name = lane, group = group, level = tonumber(level),
        requires = cjson.decode(requires),
      }
    elseif call('SREM', key, lane) == 1 and call('EXISTS', key) == 0 then
      call('SREM', P .. 'queues', queue)
    end
  end
  return found
end

-- Return the sources of a lane's runs for `merge`: those available by now, or others.
function lines.sources(lane, available)
  local sources = {}
  for _, late in ipairs({false, true}) do
    local now, near = keys(late, lane.name)
    sources[#sources + 1] = {key = available and now or near, lane = lane, late = late}
  end
  return sources
end

-- Return the queues in which something became leasable.
function lines.told()
  local queues = {}
  for queue in pairs(lines.ready) do
    queues[#queues + 1] = queue
  end
  return queues
end
