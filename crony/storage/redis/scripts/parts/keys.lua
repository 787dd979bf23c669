-- Keys: a hash of records by id, those of people also by age, a worker's by worker.

local keys = {}

-- Return the key of that id, or nil.
function keys.find(id)
  return base.record(call('HGET', P .. 'keys', id))
end

local function place(key)
  return base.sortable(key.created_at) .. key.id
end

-- Keep a key that is new.
function keys.put(key)
  call('HSET', P .. 'keys', key.id, pack(key))
  if key.worker then
    call('SADD', P .. 'keys:worker:' .. key.worker, key.id)
  end
  if key.role ~= 'worker' then
    call('ZADD', P .. 'keys:made', 0, place(key))
  end
end

-- Forget a key.
function keys.drop(key)
  call('HDEL', P .. 'keys', key.id)
  if key.worker then
    call('SREM', P .. 'keys:worker:' .. key.worker, key.id)
  end
  call('ZREM', P .. 'keys:made', place(key))
end

-- Forget all keys of a worker; return them.
function keys.drop_of(worker)
  local gone = {}
  for _, id in ipairs(call('SMEMBERS', P .. 'keys:worker:' .. worker)) do
    local key = keys.find(id)
    if key then
      keys.drop(key)
      gone[#gone + 1] = key
    end
  end
  return gone
end

-- Return the digests of all keys' secrets.
function keys.digests()
  local found = {}
  for _, raw in ipairs(call('HVALS', P .. 'keys')) do
    found[#found + 1] = unpacked(raw).digest
  end
  return found
end
