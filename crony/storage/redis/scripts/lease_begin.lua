-- Open a poll of a worker.
-- parts: rules, workers
local worker = workers.find(args.worker)
if not worker then
  return base.refused('NotFound', 'worker', args.worker)
end
local replaced = P .. 'sessions:' .. args.worker
if call('SISMEMBER', replaced, args.session) == 1
   or rules.began_before(args.session, worker.session) then
  return base.refused('StaleSession')
elseif args.session == worker.session and args.sequence <= worker.sequence then
  return base.refused('StaleSequence')
end
if worker.session and worker.session ~= args.session then
  call('SADD', replaced, worker.session)
end
worker.session, worker.sequence = args.session, args.sequence
workers.see(worker, args.now)
return pack(worker)
