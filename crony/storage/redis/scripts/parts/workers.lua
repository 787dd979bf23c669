-- Workers: a hash of records by id, their names in order and with their ids, and when
-- those were seen last that are not noted as lost.
-- parts: events, keys

local workers = {}

-- Return the worker of that id, or nil.
function workers.find(id)
  return base.record(call('HGET', P .. 'workers', id))
end

-- Return the worker of that id or name, or nil.
function workers.named(reference)
  return workers.find(reference)
    or workers.find(call('HGET', P .. 'workernames', reference) or '')
end

-- Return all workers.
function workers.all()
  local found = {}
  for n, raw in ipairs(call('HVALS', P .. 'workers')) do
    found[n] = unpacked(raw)
  end
  return found
end

-- Return whether a worker was noted as lost and not seen since.
function workers.lost(id)
  return not call('ZSCORE', P .. 'seen', id)
end

-- Keep what was changed of a worker.
function workers.put(worker)
  call('HSET', P .. 'workers', worker.id, pack(worker))
end

-- Keep a worker that was seen just now.
function workers.see(worker, now)
  worker.seen_at = math.max(worker.seen_at, now)
  workers.put(worker)
  call('ZADD', P .. 'seen', worker.seen_at, worker.id)
end

-- Keep a worker under its name.
function workers.add(worker)
  call('HSET', P .. 'workernames', worker.name, worker.id)
  call('ZADD', P .. 'workers:names', 0, worker.name)
  workers.see(worker, worker.seen_at)
end

-- Forget a worker, with its keys; return those.
function workers.drop(worker)
  call('HDEL', P .. 'workers', worker.id)
  call('HDEL', P .. 'workernames', worker.name)
  call('ZREM', P .. 'workers:names', worker.name)
  call('ZREM', P .. 'seen', worker.id)
  call('DEL', P .. 'sessions:' .. worker.id)
  return keys.drop_of(worker.id)
end
