-- Stop preemptible runs for what has waited long enough.
-- parts: ending, places, merge, workers, admission
local labels, room = {}, {}
local able = {}
local victims, changes = {}, {}

-- Return the workers that may execute what is in a lane, and whether one has a slot.
local function workers_of(lane, queue)
  local found, slot = {}, false
  for _, worker in ipairs(able) do
    local serves = false
    for _, name in ipairs(worker.queues) do
      serves = serves or name == queue
    end
    if serves and rules.rank(worker.sandbox_level) >= lane.level
       and rules.carries(labels[worker.id], lane.requires) then
      found[worker.id] = true
      slot = slot or call('ZCARD', P .. 'held:worker:' .. worker.id) < worker.slots
    end
  end
  return found, slot
end

-- Know what there is to know of a lane; it has neither gained nor lost meanwhile.
local function examine(lane, queue)
  lane.workers, lane.slot = workers_of(lane, queue)
  lane.group_full = places.of_group(lane.group) <= 0
  lane.full = lane.group_full or places.of_tenant() <= 0
end

-- Return the run that is to make room for one of this priority, if one should and can.
local function victim_for(source, priority)
  local lane = source.lane
  if lane.slot and not lane.full then
    return nil
  end
  for n, victim in ipairs(victims) do
    if victim.priority >= priority then
      return nil
    elseif lane.workers[victim.worker]
       and (not lane.group_full or victim.group == lane.group)
       and not (lane.full and victim.origin == 'hook')
       and (not source.late or victim.catch_up or room[victim.worker] > 0) then
      return n
    end
  end
  return nil
end

local members = call('ZRANGE', P .. 'preemptible', 0, -1)
if #members == 0 or tenants.held() then
  return pack({})
end
for n, member in ipairs(members) do
  victims[n] = runs.find(member:sub(19))
end
for _, worker in ipairs(workers.all()) do
  if not worker.draining and not workers.lost(worker.id) then
    able[#able + 1] = worker
    labels[worker.id] = cjson.decode(worker.labels)
    room[worker.id] = rules.catch_up_share(worker.slots)
      - call('ZCOUNT', P .. 'held:worker:' .. worker.id, 1, 1)
  end
end
lines.ripen(args.now, args.now)

local sources = {}
for _, queue in ipairs(call('SMEMBERS', P .. 'queues')) do
  for _, lane in ipairs(lines.of_queue(queue)) do
    if lane.group ~= '' then
      examine(lane, queue)
      for _, source in ipairs(lines.sources(lane, true)) do
        sources[#sources + 1] = source
      end
    end
  end
end
merge.begin(sources)
local least = victims[1].priority
while #changes < args.limit do
  local member, source = merge.next(sources)
  local priority, id, available_at
  if member then
    priority, id, available_at = lines.placed(member)
  end
  if not member or priority <= least then
    break
  end
  local run = available_at <= args.since and runs.find(id)
  if run and (not run.reserved_for or run.reserved_until <= args.now) then
    local n = victim_for(source, priority)
    if not n then
      -- What is behind it in its lane asks for the same, and is not above it.
      source.done = true
    else
      local victim = table.remove(victims, n)
      if source.late and not victim.catch_up then
        room[victim.worker] = room[victim.worker] - 1
      end
      run.reserved_for, run.reserved_until = victim.worker, victim.expires_at
      runs.save(run)
      changes[#changes + 1] = ending.stop(victim, 'preempted', args.now)
    end
  end
end
admission.finish()
return pack(changes)
