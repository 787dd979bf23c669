-- Webhooks by name, and their deliveries: of each webhook a hash by the sequence of the
-- event, those in order, and the pending ones by the instant of their next try.
-- `webhooks:due` has, by text, the first delivery of each webhook that is not paused.
-- parts: named

local webhooks = {}

local WIDTH = 15

local function text(sequence)
  return string.format('%015.0f', sequence)
end

local function order(name)
  return P .. 'deliveries:order:' .. name
end

local function pending(name)
  return P .. 'deliveries:pending:' .. name
end

local function ended(name, sequence)
  return base.digits(sequence) .. ' ' .. name
end

-- Return the webhook of that name, or nil.
function webhooks.find(name)
  return named.find('webhooks', name)
end

-- Let the first delivery of a webhook be found, if it has one and is not paused.
local function refresh(webhook)
  local name = webhook.name
  local before = call('HGET', P .. 'webhooks:first', name)
  local first
  if not webhook.paused then
    first = call('ZRANGE', pending(name), '-inf', '(inf', 'BYSCORE', 'LIMIT', 0, 1,
                 'WITHSCORES')
  end
  local now = first and first[1]
    and base.sortable(tonumber(first[2])) .. first[1] .. name
  if before and before ~= now then
    call('ZREM', P .. 'webhooks:due', before)
    call('HDEL', P .. 'webhooks:first', name)
  end
  if now and before ~= now then
    call('ZADD', P .. 'webhooks:due', 0, now)
    call('HSET', P .. 'webhooks:first', name, now)
  end
end

-- Keep a webhook.
function webhooks.put(webhook)
  named.put('webhooks', webhook)
  call(webhook.paused and 'ZREM' or 'ZADD', P .. 'webhooks:active',
       unpack(webhook.paused and {webhook.name} or {0, webhook.name}))
  refresh(webhook)
end

-- Forget a webhook, with its deliveries.
function webhooks.drop(webhook)
  local name = webhook.name
  -- What stays in `deliveries:ended` is left out when it is met.
  call('UNLINK', P .. 'deliveries:' .. name, order(name), pending(name))
  call('ZREM', P .. 'webhooks:active', name)
  refresh(webhook)
  named.drop('webhooks', name)
end

-- Return how many deliveries of a webhook are pending.
function webhooks.pending(name)
  return call('ZCARD', pending(name))
end

-- Return a delivery: tries, pending, next_at, finished_at and its document; or nil.
function webhooks.delivery(name, sequence)
  return base.record(call('HGET', P .. 'deliveries:' .. name, sequence))
end

-- Keep deliveries of a webhook, in place of others of the same events.
function webhooks.deliver(webhook, deliveries)
  local name = webhook.name
  for _, each in ipairs(deliveries) do
    local sequence = each.sequence
    call('HSET', P .. 'deliveries:' .. name, sequence, pack(each))
    call('ZADD', order(name), sequence, sequence)
    if each.pending then
      call('ZADD', pending(name), each.next_at or 'inf', text(sequence))
    else
      call('ZREM', pending(name), text(sequence))
    end
    if each.finished_at then
      call('ZADD', P .. 'deliveries:ended', each.finished_at, ended(name, sequence))
    end
  end
  refresh(webhook)
end

-- Forget deliveries that ended before an instant; return how many, and how many places
-- were looked at.
function webhooks.forget(before, limit)
  local until_ = '(' .. base.digits(before)
  local old = call('ZRANGE', P .. 'deliveries:ended', '-inf', until_, 'BYSCORE',
                   'LIMIT', 0, limit)
  local gone = 0
  for _, member in ipairs(old) do
    local sequence, name = member:match('^(%d+) (.*)$')
    local delivery = webhooks.delivery(name, sequence)
    if delivery and delivery.finished_at and delivery.finished_at < before then
      call('HDEL', P .. 'deliveries:' .. name, sequence)
      call('ZREM', order(name), sequence)
      call('ZREM', pending(name), text(tonumber(sequence)))
      gone = gone + 1
    end
    call('ZREM', P .. 'deliveries:ended', member)
  end
  return gone, #old
end

-- Return the first deliveries of webhooks that are due by an instant, in order.
function webhooks.due(now, limit, without)
  local left_out = {}
  for _, name in ipairs(without) do
    left_out[name] = true
  end
  local found = {}
  for _, member in ipairs(call('ZRANGE', P .. 'webhooks:due', '-',
                               '(' .. base.sortable(now + 1), 'BYLEX', 'LIMIT', 0,
                               limit + #without)) do
    local name = member:sub(2 * WIDTH + 1)
    if #found < limit and not left_out[name] then
      local sequence = tonumber(member:sub(WIDTH + 1, 2 * WIDTH))
      found[#found + 1] = {
        next_at = base.instant(member:sub(1, WIDTH)),
        delivery = webhooks.delivery(name, sequence).document,
        webhook = webhooks.find(name),
      }
    end
  end
  return found
end

-- Return when the first delivery of all is due, or nil.
function webhooks.earliest()
  local first = call('ZRANGE', P .. 'webhooks:due', 0, 0)[1]
  return first and base.instant(first:sub(1, WIDTH))
end
