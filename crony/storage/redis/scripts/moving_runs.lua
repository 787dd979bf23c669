-- List runs by id with all that is kept of them, until they are enough or large enough;
-- answer whether there are more.
-- parts: moving
-- reads
local from = args.after and '(' .. args.after or '-'
local found, size = {}, 0
for n, id in ipairs(call('ZRANGE', P .. 'runs:ids', from, '+', 'BYLEX', 'LIMIT', 0,
                         args.limit + 1)) do
  if n > args.limit or size > args.size then
    return pack({found, true})
  end
  found[n] = moving.run(runs.read(id))
  for _, counts in ipairs(found[n].output) do
    size = size + counts[3]
  end
end
return pack({found, false})
