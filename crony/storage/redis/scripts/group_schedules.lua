-- Count the schedules of groups, in the order of their names.
-- parts: groups
-- reads
local counts = {}
for n, name in ipairs(args.names) do
  counts[n] = groups.schedules(name)
end
return pack(counts)
