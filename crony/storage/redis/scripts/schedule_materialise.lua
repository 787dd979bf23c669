-- Insert runs and move cursors; answer for each item whether it counted.
-- parts: settling

local function counts(item)
  local stored = schedules.find(item.schedule)
  return stored and stored.state == 'active' and stored.revision == item.revision
    and stored.cursor == item.cursor
end

local missing = {}
for n, item in ipairs(args.items) do
  missing[n] = settling.prepare(item.runs)
  if missing[n] and counts(item) then
    return base.refused('NotFound', 'definition', missing[n])
  end
end
settling.keep_policies(args.policies)
local results = {}
for n, item in ipairs(args.items) do
  results[n] = (counts(item) and not missing[n]) or false
  if results[n] then
    local count = settling.settle_all(item.runs, args.now)
    if item.limit then
      schedules.limit(item.schedule, item.limit)
    end
    local stored = schedules.find(item.schedule)
    local moved = schedules.move(stored, item.next_cursor, stored.occurrences + count)
    if not moved.cursor then
      events.of_schedule('finished', moved, args.now)
    end
    runs.touched[item.schedule] = true
  end
end
return pack({results, admission.finish()})
