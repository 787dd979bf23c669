-- Runs as the driver reads them.
-- parts: runs, logs

local reading = {}

-- Return a run's record with its attempts that ended and its result.
function reading.whole(run)
  local attempts, result = {}, nil
  local fields = call('HGETALL', runs.key(run.id))
  for n = 1, #fields, 2 do
    if fields[n]:sub(1, 8) == 'attempt:' then
      attempts[#attempts + 1] = unpacked(fields[n + 1])
    elseif fields[n] == 'result' then
      result = fields[n + 1]
    end
  end
  local tokens = {}
  for n, attempt in ipairs(attempts) do
    tokens[n] = attempt.token
  end
  if run.worker then
    tokens[#attempts + 1] = run.token
  end
  local output = {}
  for n, token in ipairs(tokens) do
    output[n] = {token, logs.written(run.id, token)}
  end
  return {run = run, attempts = attempts, result = result, output = output}
end
