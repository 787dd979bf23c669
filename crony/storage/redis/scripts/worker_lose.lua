-- Note the workers that were not seen for long; answer those that are lost only now.
-- parts: workers
local found = {}
for n, id in ipairs(call('ZRANGE', P .. 'seen', '-inf', '(' .. base.digits(args.before),
                         'BYSCORE', 'LIMIT', 0, args.limit)) do
  local worker = workers.find(id)
  call('ZREM', P .. 'seen', id)
  events.of_worker('lost', worker, args.now)
  found[n] = worker
end
return pack(found)
