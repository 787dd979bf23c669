-- Decide on runs whose instant has come while others were in their way.
-- Answers how many there were, what changed, and the queues to tell.
-- parts: ending, admission
local changes = {}

local function replace(run, set)
  local left = {}
  local from = '[' .. run.schedule .. '/'
  local until_ = '(' .. run.schedule .. '/' .. base.sortable(run.due_at) .. run.id
  for _, member in ipairs(call('ZRANGE', P .. set, from, until_, 'BYLEX')) do
    local other = runs.find(member:sub(#run.schedule + 17))
    if not ending.for_good(other) then
      left[#left + 1] = other
    end
  end
  local limit = admission.limit(run.schedule)
  for n = 1, math.min(#left, #left - limit + 1) do
    local other = left[n]
    if rules.EXECUTING[other.state] then
      changes[#changes + 1] = ending.stop(other, 'replaced', args.now)
    else
      changes[#changes + 1] = ending.unstarted(other, 'cancelled', 'replaced', args.now)
    end
  end
end

local function decide(run)
  local overlap = run.overlap
  run.overlap = nil
  local way = call('ZLEXCOUNT', P .. 'open', '[' .. run.schedule .. '/',
                   '(' .. run.schedule .. '/' .. base.sortable(run.due_at) .. run.id)
  if way < admission.limit(run.schedule) then
    runs.save(run)
  elseif overlap == 'skip' then
    changes[#changes + 1] = ending.unstarted(run, 'skipped', 'overlap', args.now)
  else
    runs.save(run)
    replace(run, 'open')
  end
end

local due = call('ZRANGEBYSCORE', P .. 'overlaps', '-inf', args.now, 'LIMIT', 0,
                 args.limit)
for _, id in ipairs(due) do
  decide(runs.find(id))
end
return pack({#due, changes, admission.finish()})
