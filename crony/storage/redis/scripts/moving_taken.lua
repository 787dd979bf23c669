-- Answer for each of these ids of schedules, and of runs, whether it is used.
-- parts: schedules, runs
-- reads
local found = {schedules = {}, runs = {}}
for n, id in ipairs(args.schedules) do
  found.schedules[n] = schedules.used(id)
end
for n, id in ipairs(args.runs) do
  found.runs[n] = runs.exists(id)
end
return pack(found)
