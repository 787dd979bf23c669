-- List the newest runs of schedules, withdrawn ones apart.
-- parts: runs
-- reads
local found = {}
for n, schedule in ipairs(args.schedules) do
  local newest, offset = {}, 0
  local key = P .. 'schedule:' .. schedule .. ':runs'
  local members
  repeat
    members = call('ZREVRANGE', key, offset, offset + args.limit - 1)
    for _, member in ipairs(members) do
      local run = runs.read(member:sub(16))
      if run.state ~= 'withdrawn' and #newest < args.limit then
        newest[#newest + 1] = run
      end
    end
    offset = offset + args.limit
  until #newest >= args.limit or #members < args.limit
  found[n] = newest
end
return pack(found)
