-- Make waiting runs leasable that are available by a horizon.
-- Answers how many there were, and the queues of those that are admitted.
-- parts: runs
local waiting = call('ZRANGEBYSCORE', P .. 'waiting', '-inf', args.horizon, 'LIMIT', 0,
                     args.limit)
for _, id in ipairs(waiting) do
  call('ZREM', P .. 'waiting', id)
  local run = runs.find(id)
  if run.admitted then
    lines.ready[run.queue] = true
  end
end
return pack({#waiting, lines.told()})
