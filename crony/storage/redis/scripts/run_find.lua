-- Find a run, with its attempts.
-- parts: reading
-- reads
local run = runs.read(args.run)
return pack(run and reading.whole(run))
