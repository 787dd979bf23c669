-- Runs are taken back, stopped and ended, and attempts end.
-- parts: runs, owing, schedules

local ending = {}

local function changed(run, state, reason)
  return {run = run.id, schedule = run.schedule, worker = run.worker, state = state,
          reason = reason}
end

-- Take from a run what was offered and never confirmed.
local function without_offer(run)
  if run.state == 'leased' then
    run.attempt = run.attempt - 1
  end
end

-- Make a leased run pending again.
function ending.take_offer(run, now)
  without_offer(run)
  run.state = 'pending'
  runs.put(run, now)
end

-- End a run that is pending or leased; return what changed.
function ending.unstarted(run, state, reason, now)
  local change = changed(run, state, reason)
  without_offer(run)
  run.state, run.reason, run.finished_at = state, reason, now
  runs.put(run, now)
  return change
end

-- Withdraw a run that is pending or leased.
function ending.withdraw(run, now)
  without_offer(run)
  run.state, run.reason = 'withdrawn', nil
  runs.put(run, now)
end

-- Let an executing run stop for this reason from now on; return what changed.
function ending.stop(run, reason, now)
  local change = changed(run, 'stopping', reason)
  run.state, run.reason = 'stopping', reason
  runs.put(run, now)
  return change
end

-- Whether a run is being stopped, and will not go on elsewhere.
function ending.for_good(run)
  return run.state == 'stopping' and run.reason ~= 'preempted'
end

-- Keep an attempt that has ended, and index it if a schedule's errors show it.
function ending.record(run, attempt)
  local of_hook = run.hook and run.parent
  if of_hook then
    attempt.hook, attempt.parent, attempt.hook_attempt =
      run.hook, run.parent, run.hook_attempt or 0
  end
  if not of_hook or run.hook ~= 'error' then
    attempt.says = nil
  end
  local field = 'attempt:' .. base.digits(attempt.token)
  call('HSET', runs.key(run.id), field, pack(attempt))
  if rules.FAULTS[attempt.state] or attempt.says then
    call('ZADD', P .. 'schedule:' .. run.schedule .. ':errors', attempt.finished_at,
         ending.fault(run.id, attempt))
  end
end

-- Keep the newest attempt of a run, which ends.
local function keep(run, attempt)
  attempt.number, attempt.token = run.attempt, run.token
  attempt.worker, attempt.worker_name = run.worker, run.worker_name
  attempt.leased_at, attempt.started_at = run.leased_at, run.attempt_started
  ending.record(run, attempt)
  run.last_worker = run.worker
end

-- Return how the errors of a schedule name an attempt.
function ending.fault(run, attempt)
  return table.concat({run, string.format('%010d', attempt.number),
                       base.digits(attempt.token)}, ' ')
end

-- Leave the hook that is owed when the newest attempt has ended so.
local function owe(run, ended, now)
  local kind = rules.follow_up(run.hooks, ended, run.state)
  if kind then
    owing.leave(run, kind, 1, now)
  end
end

-- Let a run follow its attempt that has ended.
local function follow(run, ended, verdict, finished_at, now)
  local state, reason, retry_at = verdict[1], verdict[2], verdict[3]
  run.state, run.reason = state, reason
  run.available_at = retry_at or run.available_at
  run.finished_at = rules.TERMINAL[state] and finished_at or nil
  runs.put(run, now, (ended == 'lost' or ended == 'preempted') and ended or nil)
  owe(run, ended, now)
end

-- End a running or stopping run's attempt as lost; return the loss.
function ending.lose(run, now)
  local loss = {run = run.id, schedule = run.schedule, worker = run.worker,
                token = run.token}
  run.lost = run.lost + 1
  local deleted = not schedules.find(run.schedule)
  local verdict = {rules.loss_verdict(run.state, run.reason, run.lost, run.max_lost,
                                      deleted, now)}
  keep(run, {state = 'lost', reason = 'lost', finished_at = now})
  follow(run, 'lost', verdict, now, now)
  loss.state = run.state
  return loss
end

local OUTCOME = {'lateness', 'duration', 'exit_code', 'signal', 'error'}

-- End an attempt as its worker reports; the run follows.
function ending.close(run, closing, now)
  local deleted = not schedules.find(run.schedule)
  local verdict = {rules.closing_verdict(run.state, run.reason, closing, deleted, now,
                                         run.deadline_at)}
  local ended = rules.ended_as(run.state, run.reason, closing.state)
  local attempt = {
    state = ended, reason = closing.reason, finished_at = closing.finished_at,
    sandbox_level = closing.sandbox_level, limits = closing.limits,
    usage = closing.usage, says = closing.says,
  }
  for _, name in ipairs(OUTCOME) do
    attempt[name], run[name] = closing[name], closing[name]
  end
  keep(run, attempt)
  if rules.FAILURES[ended] then
    run.failures = run.failures + 1
  end
  if rules.TERMINAL[verdict[1]] and closing.result then
    call('HSET', runs.key(run.id), 'result', closing.result)
  end
  follow(run, ended, verdict, closing.finished_at, now)
end

-- Keep a progress entry for a schedule, and for its run while that is not over.
function ending.hear(schedule, entry, now)
  if schedules.find(schedule) then
    local key = P .. 'schedule:' .. schedule .. ':progress'
    call('LPUSH', key, pack(entry))
    call('LTRIM', key, 0, rules.PROGRESS_KEPT - 1)
  end
  local run = runs.find(entry.run)
  if run and not rules.TERMINAL[run.state] then
    run.progress = entry
    runs.save(run)
    events.of_run('progress', run, now)
  end
end
