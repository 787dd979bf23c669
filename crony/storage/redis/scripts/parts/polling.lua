-- A worker's request, and what it names of its runs.
-- parts: rules, runs, workers

local polling = {}

-- Return the worker of a poll, or nil and what to refuse it with.
function polling.worker()
  local worker = workers.find(args.worker)
  if not worker then
    return nil, base.refused('NotFound', 'worker', args.worker)
  elseif worker.session ~= args.session or worker.sequence ~= args.sequence then
    return nil, base.refused('StaleSequence')
  end
  return worker
end

-- Whether a worker has a run in its hands under this token.
function polling.has(run, token)
  return rules.HELD[run.state] and run.token == token and run.worker == args.worker
    or false
end

-- Return the run, if this worker was ever given this token of it.
function polling.known(id, token)
  local run = runs.find(id)
  if not run or not workers.find(args.worker) then
    return nil
  elseif polling.has(run, token) then
    return run
  end
  local holder = call('HGET', runs.key(id), 'grant:' .. base.digits(token))
  return holder == args.worker and run or nil
end

-- Return what the attempt under this token has ended as, or nil.
function polling.ended(id, token)
  local attempt = call('HGET', runs.key(id), 'attempt:' .. base.digits(token))
  return attempt and unpacked(attempt).state or nil
end

-- Return what a write about a running attempt meets.
function polling.standing(id, token)
  local run = polling.known(id, token)
  if not run then
    return 'unknown'
  elseif polling.ended(id, token) == 'lost' then
    return 'stale'
  end
  return rules.standing(token, run.token, run.state, rules.EXECUTING)
end
