-- Find the newest record of an occurrence at or before an instant.
-- parts: runs
-- reads
local source = {
  key = P .. 'schedule:' .. args.schedule .. ':runs',
  last = '(' .. base.sortable(args.instant + 1), first = '-',
}
local offset = 0
while true do
  local members = call('ZRANGE', source.key, source.last, source.first, 'BYLEX', 'REV',
                       'LIMIT', offset, 20)
  for _, member in ipairs(members) do
    local run = runs.read(member:sub(16))
    if run.origin == 'schedule' and run.state ~= 'withdrawn' then
      return pack(run)
    end
  end
  if #members < 20 then
    return pack(nil)
  end
  offset = offset + 20
end
