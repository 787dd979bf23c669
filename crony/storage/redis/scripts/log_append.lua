-- Add output of the attempt under a token; answer what that met.
-- parts: polling, logs
local run = polling.known(args.run, args.token)
if not run then
  return pack('unknown')
elseif polling.ended(run.id, args.token) == 'lost' then
  return pack('stale')
elseif not polling.has(run, args.token) then
  return pack(rules.standing(args.token, run.token, run.state, rules.EXECUTING))
end
local output = logs.open(run.id, args.token, args.head, args.bound)
for _, chunk in ipairs(args.chunks) do
  logs.add(output, chunk)
end
logs.close(output)
return pack('accepted')
