-- List workers by name, from a name on; one more than asked for.
-- parts: workers
-- reads
local from = args.after and '(' .. args.after or '-'
local found = {}
local names = call('ZRANGE', P .. 'workers:names', from, '+', 'BYLEX', 'LIMIT', 0,
                   args.limit + 1)
for n, name in ipairs(names) do
  found[n] = workers.find(call('HGET', P .. 'workernames', name))
end
return pack(found)
