-- Prolong a worker's leases; answer those, and what it must give up.
-- parts: polling
local worker = workers.find(args.worker)
if not worker then
  return base.refused('NotFound', 'worker', args.worker)
elseif worker.session and worker.session ~= args.session then
  return base.refused('StaleSession')
end
workers.see(worker, args.now)
local renewed, revoked = {}, {}
for _, item in ipairs(args.holding) do
  local id, token = item[1], item[2]
  local run = runs.find(id)
  local live = run and polling.has(run, token)
  if live then
    local from = math.max(args.now, run.start_at)
    run.expires_at = math.max(run.expires_at, rules.after(from, args.lease_ttl))
    runs.save(run)
    renewed[#renewed + 1] = {id, token, run.expires_at}
  end
  if not live or run.state == 'stopping' then
    local reason = 'lost'
    if run and (live or rules.TERMINAL[run.state]) then
      reason = rules.cause(run.state, run.reason, run.token == token)
    end
    revoked[#revoked + 1] = {id, token, reason}
  end
end
runs.write()
return pack({renewed, revoked})
