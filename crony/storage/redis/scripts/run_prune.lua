-- Remove ended runs of a schedule that nobody has to answer for any more.
-- Answers how many were removed.
-- parts: pruning
local gone = {}

local function add(list)
  for _, run in ipairs(list) do
    if #gone < args.limit then
      gone[#gone + 1] = run
    end
  end
end

-- The last that goes since there are too many: its instant and id.
local ended = P .. 'schedule:' .. args.schedule .. ':ended'
local excess = call('ZCARD', ended) - args.keep
local edge = excess > 0 and call('ZRANGE', ended, excess - 1, excess - 1, 'WITHSCORES')
local edge_id, edge_at = edge and edge[1], edge and tonumber(edge[2])

pruning.each_ended(args.schedule, function(run, at)
  local beyond = edge_id and (at < edge_at or (at == edge_at and run.id <= edge_id))
  if #gone >= args.limit or not (at < args.before or beyond) then
    return false
  end
  local company = run.scheduled_for <= args.now and pruning.company(run)
  if company then
    company[#company + 1] = run
    add(company)
  end
  return true
end)

local counted = #gone
local it = schedules.find(args.schedule)
local before = it and math.min(args.before, it.cursor or args.before)
local end_ = before and '(' .. base.sortable(before) or '+'
local withdrawn = call('ZRANGE', P .. 'schedule:' .. args.schedule .. ':withdrawn', '-',
                       end_, 'BYLEX', 'LIMIT', 0, args.limit - counted)
pruning.count(args.schedule, gone)
for _, member in ipairs(withdrawn) do
  gone[#gone + 1] = runs.find(member:sub(16))
end
for _, run in ipairs(gone) do
  pruning.remove(run)
end
pruning.forget(args.schedule)
return pack(#gone)
