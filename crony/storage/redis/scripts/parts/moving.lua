-- Schedules and runs on their way from one store to another. What moves in is told to
-- nobody, and while the tenant is held takes the place of what is there.
-- parts: references, reading, settling, owing, pruning, admission, tenants

local moving = {}

runs.quiet = true

-- Return all that is kept of a schedule, or what is left of it.
function moving.schedule(id)
  local key = schedules.key(id)
  local found = {
    id = id, definitions = {}, versions = {}, progress = {},
    limit = admission.limit(id), record = schedules.find(id),
    pruned = base.record(call('GET', key .. ':pruned')),
  }
  local fields = call('HGETALL', key)
  for n = 1, #fields, 2 do
    local revision = fields[n]:match('^definition:(%d+)$')
    if revision then
      found.definitions[#found.definitions + 1] = {tonumber(revision), fields[n + 1]}
    end
  end
  for n, raw in ipairs(call('LRANGE', key .. ':versions', 0, -1)) do
    found.versions[n] = unpacked(raw)
  end
  for n, raw in ipairs(call('LRANGE', key .. ':progress', 0, -1)) do
    found.progress[n] = unpacked(raw)
  end
  return found
end

-- Return what to refuse a schedule with, or nil. One that lags behind its group may
-- come: the group is then to be carried over.
function moving.refusal(it)
  local refusal = references.refusal(it) or references.missing(it)
  if refusal and refusal[1] ~= 'Lagging' then
    return refusal
  end
  return nil
end

local function keep_schedule(id, it)
  local before = schedules.find(id)
  if it then
    schedules.put(it)
    local group = groups.find(it.group)
    if (group.paused or false) ~= (it.held or false) then
      groups.uncarry(group)
    end
  elseif before then
    schedules.drop(before)
  else
    call('ZADD', P .. 'schedules', 0, id)
  end
end

-- Keep a schedule as it was elsewhere, or what is left of it.
function moving.put_schedule(item)
  local key = schedules.key(item.id)
  keep_schedule(item.id, item.record)
  schedules.limit(item.id, item.limit)
  for _, each in ipairs(item.definitions) do
    local revision = base.digits(each.revision)
    call('HSET', key, 'definition:' .. revision, each.definition,
         'requires:' .. revision, each.requires)
  end
  call('DEL', key .. ':versions', key .. ':progress', key .. ':pruned')
  for _, version in ipairs(item.versions) do
    call('RPUSH', key .. ':versions', pack(version))
  end
  for _, entry in ipairs(item.progress) do
    call('RPUSH', key .. ':progress', pack(entry))
  end
  if item.pruned then
    call('SET', key .. ':pruned', pack(item.pruned))
  end
  runs.touched[item.id] = true
end

-- Return a run with its attempts, its result, the hooks that it owes and what is kept
-- of its output.
function moving.run(run)
  local found = reading.whole(run)
  found.pieces, found.owed = {}, owing.of(run.id)
  for n, counts in ipairs(found.output) do
    found.pieces[n] = {counts[1], logs.pieces(run.id, counts[1], 0)}
  end
  return found
end

-- Return what to refuse a run with, or nil; else it has its lane from now on.
function moving.refusal_of_run(run)
  if not schedules.used(run.schedule) then
    return {'NotFound', 'schedule', run.schedule}
  end
  local missing = settling.prepare({run})
  return missing and {'NotFound', 'definition', missing}
end

-- Return whether a run may give way to what moves in.
function moving.may_go(run)
  return tenants.held() and not rules.HELD[run.state]
end

-- Remove a run as if it had never been here.
function moving.remove(run)
  if run.state == 'pending' then
    -- With that state it leaves all places where it waited.
    run.state = 'withdrawn'
    runs.put(run, run.created_at)
  end
  for _, owed in ipairs(owing.of(run.id)) do
    owing.settle(owed[1])
  end
  pruning.remove(run)
  runs.touched[run.schedule] = true
end

-- Let the ended runs of hooks that came before the run they follow go with it.
local function adopt(run)
  for _, member in ipairs(call('ZRANGE', P .. 'children:' .. run.id, 0, -1)) do
    local child = runs.find(member:sub(16))
    if child.orphan then
      child.orphan = nil
      runs.save(child)
    end
  end
end

-- Keep a run as it was elsewhere, with all that belongs to it.
function moving.put_run(item)
  local run, key = item.run, runs.key(item.run.id)
  for _, attempt in ipairs(item.attempts) do
    call('HSET', key, 'grant:' .. base.digits(attempt.token), attempt.worker)
    ending.record(run, attempt)
    run.last_worker = attempt.worker
  end
  if item.result then
    call('HSET', key, 'result', item.result)
  end
  for _, output in ipairs(item.output) do
    logs.restore(run.id, output.token, output.pieces, output.written)
  end
  for _, follow_up in ipairs(item.follow_ups) do
    owing.keep(run.id, follow_up.text, follow_up.at)
  end
  -- What is available later waits to be promoted.
  runs.put(run, run.created_at)
  adopt(run)
end
