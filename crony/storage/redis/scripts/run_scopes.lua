-- Return the limits that hold for a run, and how they are taken up.
-- parts: admission
-- reads
local run = runs.read(args.run)
if not run or run.origin == 'hook' then
  return pack({})
end
local scopes = {}
for n, scope in ipairs({
  {run.schedule, admission.limit(run.schedule), 'schedule:' .. run.schedule .. ':held'},
  {run.group, groups.limit(run.group), 'held:group:' .. run.group},
  {args.tenant, tenants.limit(), 'held:tenant'},
}) do
  local key = P .. scope[3]
  scopes[n] = {name = scope[1], limit = scope[2], held = call('ZCARD', key),
               runs = call('ZRANGE', key, 0, args.most - 1)}
end
return pack(scopes)
