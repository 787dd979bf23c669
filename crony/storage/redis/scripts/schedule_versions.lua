-- List the versions of a schedule, newest first, with the definitions of them.
-- parts: schedules
-- reads
local key = schedules.key(args.schedule)
local found, definitions = {}, {}
local last = -1
while #found < args.limit do
  local piece = call('LRANGE', key .. ':versions', last - 49, last)
  for n = #piece, 1, -1 do
    local version = unpacked(piece[n])
    if #found < args.limit and (not args.until_ or version.since < args.until_) then
      found[#found + 1] = version
      local revision = base.digits(version.revision)
      definitions[revision] = definitions[revision]
        or call('HGET', key, 'definition:' .. revision)
    end
  end
  if #piece < 50 then
    break
  end
  last = last - 50
end
return pack({found, definitions})
