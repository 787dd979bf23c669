-- Give a worker the first runs that it may have, in the order of leasing.
-- parts: polling, lines, places, merge, schedules, admission
local worker, refusal = polling.worker()
if not worker then
  return refusal
end
if worker.draining or args.slots < 1 or tenants.held() then
  return pack({offers = {}, definitions = {}})
end
lines.ripen(args.now, args.horizon)

-- The lanes that the worker may take from.
local lanes = {}
local labels, strength = nil, rules.rank(worker.sandbox_level)
for _, queue in ipairs(worker.queues) do
  for _, lane in ipairs(lines.of_queue(queue)) do
    labels = labels or cjson.decode(worker.labels)
    if lane.level <= strength and rules.carries(labels, lane.requires) then
      lanes[#lanes + 1] = lane
    end
  end
end

-- What may be taken beside: of the tenant, of groups, and of what catches up.
local held = P .. 'held:worker:' .. args.worker
local share = rules.catch_up_share(worker.slots) - call('ZCOUNT', held, 1, 1)
local of_tenant, of_group = places.of_tenant(), {}

local function room(source)
  local group = source.lane.group
  if source.late and share < 1 then
    return false
  elseif group == '' then
    return true
  end
  of_group[group] = of_group[group] or places.of_group(group)
  return of_tenant > 0 and of_group[group] > 0
end

local function take(source)
  local group = source.lane.group
  share = share - (source.late and 1 or 0)
  if group ~= '' then
    of_tenant, of_group[group] = of_tenant - 1, of_group[group] - 1
  end
end

local chosen = {}
for _, available in ipairs({true, false}) do
  local sources = {}
  for _, lane in ipairs(lanes) do
    for _, source in ipairs(lines.sources(lane, available)) do
      sources[#sources + 1] = source
    end
  end
  merge.begin(sources)
  while #chosen < args.slots do
    local member, source = merge.next(sources)
    if not member then
      break
    end
    if not room(source) then
      source.done = true
    else
      local _, id, available_at = lines.placed(member)
      local run = available_at <= args.horizon and runs.find(id)
      if run and (not run.reserved_for or run.reserved_for == args.worker
                  or run.reserved_until <= args.now) then
        take(source)
        chosen[#chosen + 1] = run
      end
    end
  end
end

local offers, definitions, known = {}, {}, {}
for n, run in ipairs(chosen) do
  run.state, run.token, run.attempt = 'leased', run.token + 1, run.attempt + 1
  run.worker, run.worker_name, run.leased_at = worker.id, worker.name, args.now
  run.start_at = math.max(run.available_at, args.now)
  run.expires_at = rules.after(run.start_at, args.lease_ttl)
  call('HSET', runs.key(run.id), 'grant:' .. base.digits(run.token), worker.id)
  runs.put(run, args.now)
  local revision = 'definition:' .. base.digits(run.revision)
  local of = run.schedule .. ' ' .. revision
  if not known[of] then
    definitions[#definitions + 1] = call('HGET', schedules.key(run.schedule), revision)
    known[of] = #definitions
  end
  offers[n] = {run, known[of] - 1}
end
runs.write()
return pack({offers = offers, definitions = definitions})
