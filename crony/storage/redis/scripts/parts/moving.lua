-- Schedules and runs on their way from one store to another.
-- parts: references, reading, settling, owing, admission

local moving = {}

-- Return all that is kept of a schedule, or nil where nothing is left of it.
function moving.schedule(id)
  local key = schedules.key(id)
  if call('EXISTS', key, key .. ':runs', key .. ':hooks') == 0 then
    return nil
  end
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

-- Keep a schedule as it was elsewhere, or what is left of it.
function moving.put_schedule(item)
  local key = schedules.key(item.id)
  if item.record then
    schedules.put(item.record)
  else
    call('ZADD', P .. 'schedules', 0, item.id)
  end
  call('HSET', key, 'limit', base.digits(item.limit))
  for _, each in ipairs(item.definitions) do
    local revision = base.digits(each.revision)
    call('HSET', key, 'definition:' .. revision, each.definition,
         'requires:' .. revision, each.requires)
  end
  for _, version in ipairs(item.versions) do
    call('RPUSH', key .. ':versions', pack(version))
  end
  for _, entry in ipairs(item.progress) do
    call('RPUSH', key .. ':progress', pack(entry))
  end
  if item.pruned then
    call('SET', key .. ':pruned', pack(item.pruned))
  end
end

-- Return a run with its attempts, its result, what is kept of its output, and the
-- hooks that it owes, of which `owed` has all by run.
function moving.run(run, owed)
  local found = reading.whole(run)
  found.pieces, found.owed = {}, owed[run.id]
  for n, counts in ipairs(found.output) do
    found.pieces[n] = {counts[1], logs.pieces(run.id, counts[1], 0)}
  end
  return found
end

-- Return the hooks that these runs owe: text and instant of each, by run.
function moving.owed(ids)
  local found, any = {}, false
  for _, id in ipairs(ids) do
    found[id] = {}
    any = any or owing.owes(id)
  end
  local all = any and call('ZRANGE', P .. 'follow_ups', 0, -1, 'WITHSCORES') or {}
  for n = 1, #all, 2 do
    local of = found[all[n]:match('^[^ ]+')]
    if of then
      of[#of + 1] = {all[n], tonumber(all[n + 1])}
    end
  end
  return found
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
    logs.restore(run.id, output.token, output.pieces)
  end
  for _, follow_up in ipairs(item.follow_ups) do
    owing.keep(run.id, follow_up.text, follow_up.at)
  end
  -- It is told to nobody, and waits to be promoted.
  runs.quiet = true
  runs.put(run, 0)
  adopt(run)
end
