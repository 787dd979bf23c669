-- Things that have a name: a hash of records, and the names in order.

local named = {}

-- Return the thing of a kind with that name, or nil.
function named.find(kind, name)
  return base.record(call('HGET', P .. kind, name))
end

function named.exists(kind, name)
  return call('HEXISTS', P .. kind, name) == 1
end

-- Keep a thing.
function named.put(kind, thing)
  call('HSET', P .. kind, thing.name, pack(thing))
  call('ZADD', P .. kind .. ':names', 0, thing.name)
end

-- Forget a thing.
function named.drop(kind, name)
  call('HDEL', P .. kind, name)
  call('ZREM', P .. kind .. ':names', name)
end

-- Return whether what is stored is of that revision (nil: that nothing is).
function named.expected(stored, revision)
  return (stored and stored.revision or nil) == revision
end
