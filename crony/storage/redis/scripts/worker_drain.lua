-- Give a worker nothing new from now on; answer it, if it is there.
-- parts: workers
local worker = workers.named(args.reference)
if worker and not worker.draining then
  worker.draining = true
  workers.put(worker)
  events.of_worker('draining', worker, args.now)
end
return pack(worker)
