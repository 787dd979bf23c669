-- Expire runs that have not started by their deadline.
-- Answers how many there were, what changed, and the queues to tell.
-- parts: ending, admission
local changes = {}
local gone = call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', args.now, 'LIMIT', 0,
                  args.limit)
for n, id in ipairs(gone) do
  changes[n] = ending.unstarted(runs.find(id), 'expired', 'deadline', args.now)
end
return pack({#gone, changes, admission.finish()})
