-- List the schedules with runs that are still to come, by id.
-- parts: runs
-- reads
local found, ids = {}, {}
local from = '[' .. base.sortable(args.now + 1)
for _, state in ipairs({'pending', 'leased'}) do
  for _, member in ipairs(call('ZRANGE', P .. 'runs:' .. state, from, '+', 'BYLEX')) do
    local run = runs.read(member:sub(16))
    if run.origin == 'schedule' and not found[run.schedule]
       and run.schedule > (args.after or '') then
      found[run.schedule] = true
      ids[#ids + 1] = run.schedule
    end
  end
end
table.sort(ids)
local first = {}
for n = 1, math.min(#ids, args.limit) do
  first[n] = ids[n]
end
return pack(first)
