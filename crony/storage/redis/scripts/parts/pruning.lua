-- Old runs go, and are counted.
-- parts: runs, owing, ending, schedules, logs

local pruning = {}

-- Meet the ended runs of a schedule in the order in which they go, hooks' runs apart
-- that go with others, as far as `meet` says; it takes a run and when it ended.
function pruning.each_ended(schedule, meet)
  local of = P .. 'schedule:' .. schedule
  local sources = {{key = of .. ':ended'}, {key = of .. ':orphans'}}
  local function head(source)
    if not source.list or source.index > #source.list then
      source.offset = (source.offset or -50) + 50
      source.list = call('ZRANGE', source.key, source.offset, source.offset + 49,
                         'WITHSCORES')
      source.index = 1
    end
    return source.list[source.index], tonumber(source.list[source.index + 1])
  end
  while true do
    local one, at = head(sources[1])
    local other, later = head(sources[2])
    local source = sources[1]
    if not one or (other and (later < at or (later == at and other < one))) then
      one, at, source = other, later, sources[2]
    end
    if not one or not meet(runs.find(one), at) then
      return
    end
    source.index = source.index + 2
  end
end

-- Return the hooks' runs that go with a run, or nil where it has to stay, since
-- something unfinished refers to it.
function pruning.company(run)
  if owing.owes(run.id) then
    return nil
  end
  local hooks = {}
  for _, member in ipairs(call('ZRANGE', P .. 'children:' .. run.id, 0, -1)) do
    local child = runs.find(member:sub(16))
    if not rules.TERMINAL[child.state] then
      return nil
    elseif child.origin == 'hook' then
      hooks[#hooks + 1] = child
    end
  end
  return hooks
end

-- Add runs to what is known of those of a schedule that are gone.
function pruning.count(schedule, gone)
  if #gone == 0 then
    return
  end
  local key = schedules.key(schedule) .. ':pruned'
  local known = base.record(call('GET', key))
    or {until_ = gone[1].range_until or gone[1].scheduled_for, occurrences = {},
        others = {}}
  for _, run in ipairs(gone) do
    local counts = run.origin == 'schedule' and known.occurrences or known.others
    counts[run.state] = (counts[run.state] or 0) + run.range_count
    known.until_ = math.max(known.until_, run.range_until or run.scheduled_for)
  end
  call('SET', key, pack(known))
end

-- Note anew how the newest run of a schedule that executed has ended.
local function renew_outcome(schedule)
  local offset = 0
  local members
  call('HDEL', schedules.key(schedule), 'outcome')
  repeat
    members = call('ZREVRANGE', schedules.key(schedule) .. ':runs', offset, offset + 19)
    for _, member in ipairs(members) do
      local run = runs.find(member:sub(16))
      if rules.TERMINAL[run.state] and run.attempt > 0 then
        runs.note_outcome(run)
        return
      end
    end
    offset = offset + 20
  until #members == 0
end

-- Forget a run, with its attempts and their output.
function pruning.remove(run)
  local fields = call('HGETALL', runs.key(run.id))
  for n = 1, #fields, 2 do
    if fields[n]:sub(1, 8) == 'attempt:' then
      call('ZREM', P .. 'schedule:' .. run.schedule .. ':errors',
           ending.fault(run.id, unpacked(fields[n + 1])))
    elseif fields[n]:sub(1, 6) == 'grant:' then
      logs.drop(run.id, tonumber(fields[n]:sub(7)))
    end
  end
  runs.drop(run)
  local outcome = call('HGET', schedules.key(run.schedule), 'outcome')
  if outcome and outcome:sub(17) == run.id then
    renew_outcome(run.schedule)
  end
end

-- Forget what is left of a deleted schedule that has no runs.
function pruning.forget(schedule)
  local key = schedules.key(schedule)
  if not schedules.find(schedule)
     and call('EXISTS', key .. ':runs', key .. ':hooks') == 0
  then
    call('UNLINK', key, key .. ':versions', key .. ':errors')
  end
end
