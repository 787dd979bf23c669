-- Hooks that are owed: by the instant, each a text that says all of it.

local owing = {}

-- Return the text of a follow-up.
function owing.text(run, attempt, kind, number, schedule)
  return table.concat({run, string.format('%010d', attempt), kind,
                       string.format('%010d', number), schedule}, ' ')
end

-- Keep a follow-up of a run.
function owing.keep(run, text, at)
  if call('ZADD', P .. 'follow_ups', at, text) == 1 then
    call('HINCRBY', P .. 'owed', run, 1)
  end
end

-- Leave a follow-up of a run's newest attempt.
function owing.leave(run, kind, number, at)
  owing.keep(run.id, owing.text(run.id, run.attempt, kind, number, run.schedule), at)
end

-- Forget a follow-up.
function owing.settle(text)
  local run = text:match('^[^ ]+')
  if call('ZREM', P .. 'follow_ups', text) == 1
     and call('HINCRBY', P .. 'owed', run, -1) == 0 then
    call('HDEL', P .. 'owed', run)
  end
end

local by_run

-- Return the follow-ups that a run owed when first asked: text and instant of each.
function owing.of(run)
  if not owing.owes(run) then
    return {}
  end
  if not by_run then
    by_run = {}
    local all = call('ZRANGE', P .. 'follow_ups', 0, -1, 'WITHSCORES')
    for n = 1, #all, 2 do
      local of = all[n]:match('^[^ ]+')
      by_run[of] = by_run[of] or {}
      table.insert(by_run[of], {all[n], tonumber(all[n + 1])})
    end
  end
  return by_run[run] or {}
end

-- Return whether a run owes any.
function owing.owes(run)
  return call('HEXISTS', P .. 'owed', run) == 1
end
