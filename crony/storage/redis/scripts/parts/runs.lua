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

local records, marked, was, dirty = {}, {}, {}, {}

function runs.key(id)
  return P .. 'run:' .. id
end

-- Return the keys of the sets that a run is in: the member of each, and its score.
local function marks(run)
  local members, scores = {}, {}
  local id, state, hook = run.id, run.state, run.origin == 'hook'
  local due = base.sortable(run.due_at) .. id
  local planned = base.sortable(run.scheduled_for) .. id
  local of = 'schedule:' .. run.schedule .. ':'
  members['runs:ids'] = id
  members['runs:' .. state] = planned
  members[of .. (hook and 'hooks' or 'runs')] = planned
  if run.parent then
    members['children:' .. run.parent] = planned
  end
  local worker = run.worker or run.last_worker
  if worker then
    members['runs:of:' .. worker] = planned
  end
  if state == 'pending' then
    members['due:' .. run.queue], scores['due:' .. run.queue] = id, run.due_at
    if not hook then
      members[of .. (run.admitted and 'admitted' or 'queued')] =
        (run.attempt == 0 and '1' or '0') .. due
    end
    if run.overlap then
      members.overlaps, scores.overlaps = id, run.due_at
    end
  elseif state == 'withdrawn' then
    members[of .. 'withdrawn'] = planned
  elseif rules.TERMINAL[state] then
    local ended = of .. (run.orphan and 'orphans' or 'ended')
    if not hook or run.orphan then
      members[ended], scores[ended] = id, run.finished_at or run.created_at
    end
  else
    members['held:worker:' .. worker] = id
    scores['held:worker:' .. worker] = run.catch_up and 1 or 0
    if not hook then
      members[of .. 'held'] = id
      members['held:group:' .. run.group] = id
      members['held:tenant'] = id
    end
    local by = state == 'leased' and 'offers' or 'leases'
    members[by], scores[by] = id, state == 'leased' and run.start_at or run.expires_at
    if run.pulse_at then
      members.pulses, scores.pulses = id, run.pulse_at
    end
    if run.preemptible and state == 'running' then
      members.preemptible = string.format('%03d', run.priority + 100)
        .. base.sortable(-run.started_at + 191267539200000) .. id
    end
  end
  if state == 'pending' or rules.HELD[state] then
    local open = (hook and 'open:hooks')
      or (run.origin == 'backfill' and 'open:backfill') or 'open'
    members[open] = run.schedule .. '/' .. due
  end
  if rules.UNCONFIRMED[state] and run.deadline_at then
    members.deadlines, scores.deadlines = id, run.deadline_at
  end
  return {members = members, scores = scores}
end

-- Bring the sets that a run is in to what follows from its record, or out of all.
local function mark(id, now)
  local before = marked[id] or {members = {}, scores = {}}
  now = now or {members = {}, scores = {}}
  for key, member in pairs(before.members) do
    if now.members[key] ~= member then
      call('ZREM', P .. key, member)
    end
  end
  for key, member in pairs(now.members) do
    local score = now.scores[key]
    if before.members[key] ~= member or before.scores[key] ~= score then
      call('ZADD', P .. key, score or 0, member)
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

local function tally(facts_, by)
  if not facts_.live then
    return
  end
  local field = facts_.queue .. '\0' .. facts_.state
  if call('HINCRBY', P .. 'tally', field, by) == 0 then
    call('HDEL', P .. 'tally', field)
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
  run.admitted = admitted
  if admitted then
    lines.add(run)
  else
    lines.remove(run)
  end
  runs.save(run)
  was[run.id].offered = admitted
end

-- Forget a run.
function runs.drop(run)
  mark(run.id, nil)
  call('UNLINK', runs.key(run.id))
  records[run.id], dirty[run.id] = false, nil
end

-- Write the records of all that was changed.
function runs.write()
  for id in pairs(dirty) do
    call('HSET', runs.key(id), 'run', pack(records[id]))
  end
  dirty = {}
end
