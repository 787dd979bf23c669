-- Return runs with the definitions that they execute.
-- parts: runs, schedules
-- reads
local found = {}
for _, id in ipairs(args.runs) do
  local run = runs.read(id)
  if run then
    local definition = 'definition:' .. base.digits(run.revision)
    found[#found + 1] = {run, call('HGET', schedules.key(run.schedule), definition)}
  end
end
return pack(found)
