-- Take back what a worker was given and does not hold.
-- parts: polling, taking
local worker, refusal = polling.worker()
if not worker then
  return refusal
end
local holds = {}
for _, item in ipairs(args.holding) do
  holds[item[1] .. ' ' .. base.digits(item[2])] = true
end
local gone = {}
for _, id in ipairs(call('ZRANGE', P .. 'held:worker:' .. args.worker, 0, -1)) do
  local run = runs.find(id)
  if not holds[id .. ' ' .. base.digits(run.token)] then
    gone[#gone + 1] = run
  end
end
return pack(taking.take(gone, args.now))
