-- List runs of some sets, by their instants, as far as one look goes.
-- Answers those that match, and the place to go on from, if there is more.
-- parts: runs, merge
-- reads
local LOOK = 500
local query = args.query

local function matches(run)
  for _, name in ipairs({'schedule', 'group', 'origin', 'parent'}) do
    if query[name] and query[name] ~= run[name] then
      return false
    end
  end
  return (not query.states or query.states[run.state])
    and (not query.worker or query.worker == (run.worker or run.last_worker))
end

local sources = {}
for n, key in ipairs(args.keys) do
  sources[n] = {key = P .. key}
  if args.reverse then
    sources[n].first, sources[n].last = args.low, args.high
  else
    sources[n].first, sources[n].until_ = args.low, args.high
  end
end
merge.begin(sources)
local found, looked, last = {}, 0, nil
while #found <= args.limit and looked < LOOK do
  local member = merge.next(sources)
  if not member then
    return pack({found = found})
  end
  looked, last = looked + 1, member
  local run = runs.read(member:sub(16))
  if matches(run) then
    found[#found + 1] = run
  end
end
return pack({found = found, next = last})
