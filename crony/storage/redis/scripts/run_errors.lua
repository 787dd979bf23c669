-- List the newest attempts of schedules that went wrong.
-- parts: runs
-- reads
local found = {}
for n, schedule in ipairs(args.schedules) do
  local newest = {}
  local key = P .. 'schedule:' .. schedule .. ':errors'
  for _, member in ipairs(call('ZREVRANGE', key, 0, args.limit - 1)) do
    local run, token = member:match('^([^ ]+) %d+ (%d+)$')
    local attempt = unpacked(call('HGET', runs.key(run), 'attempt:' .. token))
    newest[#newest + 1] = {run = run, attempt = attempt}
  end
  found[n] = newest
end
return pack(found)
