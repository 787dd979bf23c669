-- Keep a worker with its key, or renew what is known of it; answer it as it is kept,
-- and the digests of its older keys.
-- parts: workers
local worker, key = args.worker, args.key
local known = workers.find(call('HGET', P .. 'workernames', worker.name) or '')
if known and known.machine ~= worker.machine then
  return base.refused('NameTaken', 'worker', worker.name, known.id)
end
if not known and args.quota and call('HLEN', P .. 'workers') >= args.quota then
  return base.refused('QuotaExceeded', 'the tenant has ' .. base.digits(args.quota)
                      .. ' workers, which is all it may have')
end
local digests = {}
if known then
  worker.id, worker.registered_at = known.id, known.registered_at
  worker.session, worker.sequence = known.session, known.sequence
  for _, old in ipairs(keys.drop_of(known.id)) do
    if old.digest ~= key.digest then
      digests[#digests + 1] = old.digest
    end
  end
end
worker.draining = false
workers.add(worker)
local same = keys.find(key.id)
if same then
  keys.drop(same)
end
key.worker = worker.id
keys.put(key)
events.of_worker('registered', worker, worker.seen_at)
return pack({worker = worker, digests = digests})
