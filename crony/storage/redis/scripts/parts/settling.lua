-- Occurrences become runs, and are taken back.
-- parts: runs, schedules, ending, admission

local settling = {}

-- What a run that is due again takes from the one that is given.
local TAKEN = {
  'state', 'reason', 'revision', 'schedule_name', 'group', 'policy', 'due_at',
  'available_at', 'catch_up', 'deadline_at', 'overlap', 'hooks', 'hook_interval',
  'range_until', 'range_count', 'queue', 'priority', 'max_lost', 'finished_at',
  'level', 'preemptible', 'lane',
}

-- Give runs their lanes; return the definition that is missing, or nil.
function settling.prepare(list)
  local known = {}
  for _, run in ipairs(list) do
    local of = run.schedule .. '@' .. base.digits(run.revision)
    known[of] = known[of] or schedules.requires(run.schedule, run.revision)
    if not known[of] then
      return of
    end
    run.lane = lines.lane(run, known[of])
  end
  return nil
end

-- Keep the texts of policies, by their digests.
function settling.keep_policies(policies)
  for digest, text in pairs(policies) do
    call('HSETNX', P .. 'policies', digest, text)
  end
end

-- Insert a run, or take it back; return by how much occurrences grow.
function settling.settle(run, now)
  local before = runs.find(run.id)
  if not before then
    runs.put(run, now)
    return run.range_count
  elseif before.state ~= 'withdrawn' then
    return 0
  end
  for _, name in ipairs(TAKEN) do
    before[name] = run[name]
  end
  runs.put(before, now)
  return run.range_count
end

-- Settle several; return by how much occurrences grow.
function settling.settle_all(list, now)
  local count = 0
  for _, run in ipairs(list) do
    count = count + settling.settle(run, now)
  end
  return count
end

-- Withdraw what of a schedule is still to come; return by how much occurrences shrink.
function settling.withdraw(schedule, now)
  local count = 0
  local from = '[' .. base.sortable(now + 1)
  for _, member in ipairs(call('ZRANGE', P .. 'schedule:' .. schedule .. ':runs', from,
                               '+', 'BYLEX')) do
    local run = runs.find(member:sub(16))
    if run.origin == 'schedule' and rules.UNCONFIRMED[run.state] then
      ending.withdraw(run, now)
      count = count + run.range_count
    end
  end
  return count
end

-- Meet the unfinished runs of a schedule in these sets, in their order.
function settling.each_open(schedule, sets, meet)
  for _, set in ipairs(sets) do
    for _, member in ipairs(call('ZRANGE', P .. set, '[' .. schedule .. '/',
                                 '(' .. schedule .. '0', 'BYLEX')) do
      meet(runs.find(member:sub(#schedule + 17)))
    end
  end
end
