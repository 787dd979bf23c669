-- List the runs in the hands of workers, in the order of the workers.
-- reads
local found = {}
for n, worker in ipairs(args.workers) do
  found[n] = call('ZRANGE', P .. 'held:worker:' .. worker, 0, -1)
end
return pack(found)
