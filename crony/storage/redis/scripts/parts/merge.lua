-- Several sets by text, met as one in order, a few members at a time.

local merge = {}

local STEP = 16

local function more(source)
  local list
  if source.last then
    list = call('ZRANGE', source.key, source.last, source.first, 'BYLEX', 'REV',
                'LIMIT', source.offset, STEP)
  else
    list = call('ZRANGE', source.key, source.first or '-', source.until_ or '+',
                'BYLEX', 'LIMIT', source.offset, STEP)
  end
  source.offset = source.offset + #list
  source.list, source.index = list, 1
end

-- Begin: sources have a key, and may have bounds by text: `first` and `until_`, or,
-- to go backwards, `last` and `first`. Nothing may change them meanwhile.
function merge.begin(sources)
  for _, source in ipairs(sources) do
    source.offset, source.list, source.index = 0, {}, 1
  end
  return sources
end

local function head(source)
  if source.index > #source.list and not source.done then
    more(source)
    source.done = #source.list == 0
  end
  return source.list[source.index]
end

-- Return the next member, and its source; nil at the end. A source that is `done` is
-- looked at no more.
function merge.next(sources)
  local best, from
  for _, source in ipairs(sources) do
    local member = not source.done and head(source) or nil
    if member and (best == nil or (source.last and member > best)
                   or (not source.last and member < best)) then
      best, from = member, source
    end
  end
  if from then
    from.index = from.index + 1
  end
  return best, from
end
