-- Forget the oldest events, up to the first that is not old; answer how many. One
-- behind a newer one waits for it, so that what is left has no holes.
local last, gone = nil, 0
local touched = {}
for _, entry in ipairs(call('XRANGE', P .. 'events', '-', '+', 'COUNT', args.limit)) do
  local fields = {}
  for n = 1, #entry[2], 2 do
    fields[entry[2][n]] = entry[2][n + 1]
  end
  if tonumber(fields.at) >= args.before then
    break
  end
  last, gone = tonumber(entry[1]:match('^%d+')), gone + 1
  touched[fields.schedule] = true
end
if last then
  call('SET', P .. 'events:forgotten', last)
  call('XTRIM', P .. 'events', 'MINID', '=', base.digits(last + 1) .. '-0')
  for schedule in pairs(touched) do
    call('ZREMRANGEBYSCORE', P .. 'events:of:' .. schedule, '-inf', last)
  end
end
return pack(gone)
