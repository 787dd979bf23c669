-- Answers: a hash by idempotency key, and the keys by the instants of their claims.

local answers = {}

-- Return what is kept for a key: claimed_at, whether it is answered, its document.
function answers.find(key)
  return base.record(call('HGET', P .. 'answers', key))
end

-- Return whether the claim of that instant stands for a key, not answered yet.
function answers.claimed(key, claimed_at)
  local stored = answers.find(key)
  return stored and not stored.answered and stored.claimed_at == claimed_at
end

function answers.put(key, answer)
  call('HSET', P .. 'answers', key, pack(answer))
  call('ZADD', P .. 'answers:claimed', answer.claimed_at, key)
end

function answers.drop(key)
  call('HDEL', P .. 'answers', key)
  call('ZREM', P .. 'answers:claimed', key)
end
