-- Remove a worker and its keys; answer the digests of those, if it was there.
-- parts: workers
local worker = workers.named(args.reference)
if not worker then
  return pack(nil)
end
local digests = {}
for n, key in ipairs(workers.drop(worker)) do
  digests[n] = key.digest
end
events.of_worker('deleted', worker, args.now)
return pack(digests)
