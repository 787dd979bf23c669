-- Turn offers into running attempts; one answer for each.
-- parts: polling

-- What a run says of its newest attempt's end, before that has come.
local ENDED = {'reason', 'lateness', 'duration', 'exit_code', 'signal', 'error'}

local function start(run)
  local begins = math.max(run.start_at, args.now)
  run.expires_at = math.max(run.expires_at, rules.after(begins, args.lease_ttl))
  run.state, run.overlap = 'running', nil
  run.started_at, run.attempt_started = begins, begins
  for _, name in ipairs(ENDED) do
    run[name] = nil
  end
  runs.put(run, args.now)
end

local answers = {}
for n, item in ipairs(args.items) do
  local run = polling.known(item[1], item[2])
  local standing = 'unknown'
  if run then
    standing = rules.standing(item[2], run.token, run.state, rules.LEASED)
    if run.state == 'running' and run.token == item[2] then
      standing = 'repeated'
    elseif standing == 'accepted' and run.deadline_at and run.deadline_at <= args.now
    then
      standing = 'over'
    elseif standing == 'accepted' then
      start(run)
    end
  end
  local counted = standing == 'accepted' or standing == 'repeated'
  answers[n] = {
    standing = standing, state = run and run.state,
    start_at = counted and run.start_at or nil,
    expires_at = counted and run.expires_at or nil,
  }
end
runs.write()
return pack(answers)
