-- Find a worker by its id or name.
-- parts: workers
-- reads
return pack(workers.named(args.reference))
