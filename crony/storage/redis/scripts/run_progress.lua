-- List the newest progress entries of schedules.
-- reads
local found = {}
for n, schedule in ipairs(args.schedules) do
  local newest = {}
  local key = P .. 'schedule:' .. schedule .. ':progress'
  for m, entry in ipairs(call('LRANGE', key, 0, args.limit - 1)) do
    newest[m] = unpacked(entry)
  end
  found[n] = newest
end
return pack(found)
