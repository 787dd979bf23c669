-- Runs: their live records, the indexes that follow from them, and their events.
--
-- A record has the members of a run, save attempts, result and policy (that by its
-- digest), and beside them: `level` (the rank of its sandbox's), `preemptible`,
-- `lane`, `admitted`; in a worker's hands `worker`, `worker_name`, `leased_at`,
-- `start_at`, `expires_at` and, once confirmed, `attempt_started`; `last_worker`, that
-- of the newest attempt that ended; `reserved_for`, `reserved_until`; `pulse_at`,
-- `pulses`; of a hook's run that ended after its parent was gone, `orphan`.
--
-- A script finds runs, changes their records, puts or saves each, and at its end writes
-- what it has changed: `runs.write`.
-- parts: rules, lines, events

local runs = {
  -- What the places of groups and the tenant have lost and won, by group.
  left = {}, all_left = 0,
  -- The schedules in which to admit anew.
  touched = {},
  -- Whether nothing is told of what is put.
  quiet = false,
}

local records, marked, was, dirty, tallied = {}, {}, {}, {}, {}

function runs.key(id)
  return P .. 'run:' .. id
end

-- PERF: the keys of a step's few queues, groups and states are made once.
local made = {}

local function named(prefix, name)
  local of = made[prefix]
  if not of then
    of = {}
    made[prefix] = of
  end
  local key = of[name]
  if not key then
    key = P .. prefix .. name
    of[name] = key
  end
  return key
end

local IDS, OVERLAPS, DEADLINES = P .. 'runs:ids', P .. 'overlaps', P .. 'deadlines'
local OFFERS, LEASES, PULSES = P .. 'offers', P .. 'leases', P .. 'pulses'
local PREEMPTIBLE, HELD = P .. 'preemptible', P .. 'held:tenant'
local OPEN, BESIDE, HOOKS = P .. 'open', P .. 'open:backfill', P .. 'open:hooks'

-- Return the set in which a pending run waits for its admission, or has it.
local function line(run, admitted)
  return P .. 'schedule:' .. run.schedule .. (admitted and ':admitted' or ':queued')
end

-- Return a run's place among those that wait for their admission: first what has made
-- an attempt and waits for its retry, which is not overtaken.
local function turn(run)
  return (run.attempt == 0 and '1' or '0') .. base.sortable(run.due_at) .. run.id
end

-- Return the keys of the sets that a run is in: the member of each, and its score.
local function marks(run)
  local members, scores = {}, {}
  local id, state, hook = run.id, run.state, run.origin == 'hook'
  local planned = base.sortable(run.scheduled_for) .. id
  local of = P .. 'schedule:' .. run.schedule
  members[IDS] = id
  members[named('runs:', state)] = planned
  members[of .. (hook and ':hooks' or ':runs')] = planned
  if run.parent then
    members[P .. 'children:' .. run.parent] = planned
  end
  local worker = run.worker or run.last_worker
  if worker then
    members[named('runs:of:', worker)] = planned
  end
  if state == 'pending' then
    local due = named('due:', run.queue)
    members[due], scores[due] = id, run.due_at
    if not hook then
      members[line(run, run.admitted)] = turn(run)
    end
    if run.overlap then
      members[OVERLAPS], scores[OVERLAPS] = id, run.due_at
    end
  elseif state == 'withdrawn' then
    members[of .. ':withdrawn'] = planned
  elseif rules.TERMINAL[state] then
    if not hook or run.orphan then
      local ended = of .. (run.orphan and ':orphans' or ':ended')
      members[ended], scores[ended] = id, run.finished_at or run.created_at
    end
  else
    local hands = named('held:worker:', worker)
    members[hands], scores[hands] = id, run.catch_up and 1 or 0
    if not hook then
      members[of .. ':held'] = id
      members[named('held:group:', run.group)] = id
      members[HELD] = id
    end
    if state == 'leased' then
      members[OFFERS], scores[OFFERS] = id, run.start_at
    else
      members[LEASES], scores[LEASES] = id, run.expires_at
    end
    if run.pulse_at then
      members[PULSES], scores[PULSES] = id, run.pulse_at
    end
    if run.preemptible and state == 'running' then
      -- The lowest priority first, then the newest started.
      members[PREEMPTIBLE] = string.format('%03d', run.priority + 100)
        .. base.sortable(-run.started_at + 191267539200000) .. id
    end
  end
  if state == 'pending' or rules.HELD[state] then
    local open = (hook and HOOKS) or (run.origin == 'backfill' and BESIDE) or OPEN
    members[open] = run.schedule .. '/' .. base.sortable(run.due_at) .. id
  end
  if run.deadline_at and rules.UNCONFIRMED[state] then
    members[DEADLINES], scores[DEADLINES] = id, run.deadline_at
  end
  return {members = members, scores = scores}
end

local NONE = {members = {}, scores = {}}

-- Bring the sets that a run is in to what follows from its record, or out of all.
local function mark(id, now)
  local before = marked[id] or NONE
  local members, scores = now.members, now.scores
  for key, member in pairs(before.members) do
    if members[key] ~= member then
      call('ZREM', key, member)
    end
  end
  for key, member in pairs(members) do
    local score = scores[key]
    if before.members[key] ~= member or before.scores[key] ~= score then
      call('ZADD', key, score or 0, member)
    end
  end
  marked[id] = now
end

-- What has to be known of a run as it was put last.
local function facts(run)
  return {
    state = run.state, queue = run.queue,
    offered = run.state == 'pending' and run.admitted or false,
    held = rules.HELD[run.state] and run.origin ~= 'hook' or false,
    live = run.state == 'pending' or rules.HELD[run.state] or false,
  }
end

-- Return the record of a run to look at, or nil: it is not to be changed.
function runs.read(id)
  return records[id] or base.record(call('HGET', runs.key(id), 'run'))
end

-- Return the record of a run to change, or nil; the same table each time.
function runs.find(id)
  local run = records[id]
  if run == nil then
    run = base.record(call('HGET', runs.key(id), 'run')) or false
    records[id] = run
    if run then
      marked[id], was[id] = marks(run), facts(run)
    end
  end
  return run or nil
end

-- Return whether there is a run of that id.
function runs.exists(id)
  return records[id] and true or call('EXISTS', runs.key(id)) == 1
end

-- Keep what was changed of a run: its sets now, its record with the rest.
function runs.save(run)
  mark(run.id, marks(run))
  dirty[run.id] = true
end

-- Count live runs by queue and state; `runs.write` writes it.
local function tally(facts_, by)
  if facts_.live then
    local field = facts_.queue .. '\0' .. facts_.state
    tallied[field] = (tallied[field] or 0) + by
  end
end

local function leave_hands(run)
  run.worker, run.worker_name, run.leased_at = nil, nil, nil
  run.start_at, run.expires_at, run.attempt_started = nil, nil, nil
end

-- Let the progress hook of an attempt begin, or end, with it.
local function pulse(run, before)
  if run.state ~= 'running' then
    run.pulse_at, run.pulses = nil, nil
  elseif before and before.state ~= 'running' and run.hook_interval then
    for _, kind in ipairs(run.hooks or {}) do
      if kind == 'progress' then
        run.pulse_at = rules.next_pulse(run.started_at, run.hook_interval,
                                        run.started_at)
        run.pulses = 0
      end
    end
  end
end

-- Note how the newest run of a schedule that executed has ended.
function runs.note_outcome(run)
  if run.origin == 'hook' or run.attempt == 0 then
    return
  end
  local key = P .. 'schedule:' .. run.schedule
  local place = base.sortable(run.scheduled_for) .. run.id
  local newest = call('HGET', key, 'outcome')
  if not newest or place >= newest:sub(2) then
    call('HSET', key, 'outcome', (run.state == 'succeeded' and '0' or '1') .. place)
  end
end

local function count_places(run, before)
  local held = rules.HELD[run.state] and run.origin ~= 'hook' or false
  local by = ((before and before.held) and 1 or 0) - (held and 1 or 0)
  if by ~= 0 then
    runs.left[run.group] = (runs.left[run.group] or 0) + by
    runs.all_left = runs.all_left + by
  end
end

-- Keep a run in the state that it has now, with all that follows from that, and tell
-- of it; `ended` is what an attempt has ended as, where that is told by itself.
function runs.put(run, now, ended)
  local id, state = run.id, run.state
  local before = was[id]
  records[id] = run
  if not rules.HELD[state] then
    leave_hands(run)
  end
  if state ~= 'pending' then
    run.admitted, run.reserved_for, run.reserved_until = nil, nil, nil
  elseif not before or before.state ~= 'pending' then
    run.admitted = run.origin == 'hook'
  end
  if before and before.state == 'pending' then
    call('ZREM', P .. 'waiting', id)
  end
  if state == 'pending' and run.available_at > now then
    call('ZADD', P .. 'waiting', run.available_at, id)
  end
  pulse(run, before)
  if rules.TERMINAL[state] then
    run.orphan = run.origin == 'hook' and not runs.exists(run.parent or '') or nil
    runs.note_outcome(run)
  end
  local after = facts(run)
  if before and before.offered and not after.offered then
    lines.remove(run)
  elseif after.offered and not (before and before.offered) then
    lines.add(run)
  end
  if before then
    tally(before, -1)
  end
  tally(after, 1)
  count_places(run, before)
  runs.touched[run.schedule] = true
  runs.save(run)
  was[id] = after
  if ended then
    events.of_run(ended, run, now)
  end
  if not runs.quiet and (not before or before.state ~= state) then
    events.of_run(state, run, now)
  end
end

-- Let a pending run be admitted, or not any more.
function runs.admit(run, admitted)
  local id = run.id
  run.admitted = admitted
  if admitted then
    lines.add(run)
  else
    lines.remove(run)
  end
  local from, to, member = line(run, not admitted), line(run, admitted), turn(run)
  call('ZREM', from, member)
  call('ZADD', to, 0, member)
  marked[id].members[from], marked[id].members[to] = nil, member
  was[id].offered = admitted
  dirty[id] = true
end

-- Forget a run.
function runs.drop(run)
  mark(run.id, NONE)
  call('UNLINK', runs.key(run.id))
  records[run.id], dirty[run.id] = false, nil
end

-- Write the records of all that was changed, and what is counted of runs.
function runs.write()
  for id in pairs(dirty) do
    call('HSET', runs.key(id), 'run', pack(records[id]))
  end
  for field, by in pairs(tallied) do
    if by ~= 0 and call('HINCRBY', P .. 'tally', field, by) == 0 then
      call('HDEL', P .. 'tally', field)
    end
  end
  dirty, tallied = {}, {}
  lines.write()
end
