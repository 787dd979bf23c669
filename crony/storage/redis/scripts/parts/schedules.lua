-- Schedules: their live records, and the indexes that follow from them.
--
-- A record has the members of a schedule, its definition apart, and of that what one
-- looks for: `name`, `group`, `profile`, `queue`, `trigger`, `labels` (JSON text) and
-- `paused` (by itself or with its group).
-- parts: events

local schedules = {}

local records, marked = {}, {}

function schedules.key(id)
  return P .. 'schedule:' .. id
end

-- Return the keys of the sets that a schedule is in: the member of each, its score.
local function marks(it)
  local members, scores = {}, {}
  members['by:name'] = (it.name and '0' .. it.name .. '\0' or '1') .. it.id
  members['by:next'] = (it.cursor and '0' .. base.sortable(it.cursor) or '1') .. it.id
  members['by:created'] = '0' .. base.sortable(it.created_at) .. it.id
  members[(it.held and 'group:held:' or 'group:free:') .. it.group] = it.id
  if it.state == 'active' and it.cursor then
    members.cursors, scores.cursors = it.id, it.cursor
  end
  return {members = members, scores = scores}
end

local NONE = {members = {}, scores = {}}

-- Bring the sets and hashes that a schedule is in to what follows from its record.
local function mark(it, now)
  local before = marked[it.id] or NONE
  for key, member in pairs(before.members) do
    if now.members[key] ~= member then
      call('ZREM', P .. key, member)
    end
  end
  for key, member in pairs(now.members) do
    local score = now.scores[key]
    if before.members[key] ~= member or before.scores[key] ~= score then
      call('ZADD', P .. key, score or 0, member)
    end
  end
  marked[it.id] = now
end

local function tally(it, by)
  if call('HINCRBY', P .. 'tally', '\0' .. it.state, by) == 0 then
    call('HDEL', P .. 'tally', '\0' .. it.state)
  end
end

-- Let names and profiles lead to a schedule.
local function refer(it)
  if it.name then
    call('HSET', P .. 'schedules:named', it.name, it.id)
  end
  if it.profile then
    call('HSET', P .. 'profile:schedules:' .. it.profile, it.id, it.name or it.id)
  end
end

local function unrefer(it)
  if it.name then
    call('HDEL', P .. 'schedules:named', it.name)
  end
  if it.profile then
    call('HDEL', P .. 'profile:schedules:' .. it.profile, it.id)
  end
end

-- Return the record of a schedule that is not deleted, or nil; it is not changed.
function schedules.find(id)
  local found = records[id]
  if found == nil then
    found = base.record(call('HGET', schedules.key(id), 'live')) or false
    records[id] = found
    if found then
      marked[id] = marks(found)
    end
  end
  return found or nil
end

-- Return the id of the schedule of that id or name, or nil.
function schedules.resolve(reference)
  if call('HEXISTS', schedules.key(reference), 'live') == 1 then
    return reference
  end
  return call('HGET', P .. 'schedules:named', reference) or nil
end

-- Return whether the id was ever used.
function schedules.used(id)
  return call('ZSCORE', P .. 'schedules', id) ~= false
end

-- Return the labels, as JSON, that a revision of a definition requires, or nil.
function schedules.requires(id, revision)
  return call('HGET', schedules.key(id), 'requires:' .. base.digits(revision)) or nil
end

-- Keep a schedule's record in place of another, or of none.
function schedules.put(it)
  local before = schedules.find(it.id)
  mark(it, marks(it))
  if before then
    tally(before, -1)
    unrefer(before)
  else
    call('ZADD', P .. 'schedules', 0, it.id)
  end
  tally(it, 1)
  refer(it)
  records[it.id] = it
  call('HSET', schedules.key(it.id), 'live', pack(it))
end

-- Keep that a schedule's occurrences were settled: nothing else of it changes.
function schedules.move(it, cursor, occurrences)
  local moved = {}
  for name, value in pairs(it) do
    moved[name] = value
  end
  moved.cursor, moved.occurrences = cursor, occurrences
  if not cursor then
    moved.state = 'finished'
    tally(it, -1)
    tally(moved, 1)
  end
  mark(moved, marks(moved))
  records[it.id] = moved
  call('HSET', schedules.key(it.id), 'live', pack(moved))
  return moved
end

-- Keep how many runs of a schedule may be held; that stays when it is deleted.
function schedules.limit(id, limit)
  call('HSET', P .. 'limits', id, base.digits(limit))
end

-- Keep a revision of a definition, and how many of its runs may be held.
function schedules.define(it, definition, requires, limit)
  local revision = base.digits(it.revision)
  call('HSET', schedules.key(it.id), 'definition:' .. revision, definition,
       'requires:' .. revision, requires)
  schedules.limit(it.id, limit)
end

-- Keep what is due from an instant on.
function schedules.begin_version(it, since)
  call('RPUSH', schedules.key(it.id) .. ':versions', pack({
    revision = it.revision, since = since, held = it.held, rules = it.rules,
  }))
end

-- Forget a schedule; its history stays.
function schedules.drop(it)
  mark(it, NONE)
  tally(it, -1)
  unrefer(it)
  call('HDEL', schedules.key(it.id), 'live')
  call('UNLINK', schedules.key(it.id) .. ':progress')
  records[it.id] = false
end

-- Return a schedule's record with its definition, for the driver to read.
function schedules.whole(it)
  local definition = 'definition:' .. base.digits(it.revision)
  return {record = it, definition = call('HGET', schedules.key(it.id), definition)}
end

-- Return those of these ids that are not deleted, with their definitions.
function schedules.all(ids)
  local found = {}
  for _, id in ipairs(ids) do
    local it = schedules.find(id)
    if it then
      found[#found + 1] = schedules.whole(it)
    end
  end
  return found
end

-- Return the schedule while its revision and cursor are those expected, or nil.
function schedules.current(expected)
  local stored = schedules.find(expected.id)
  if stored and stored.revision == expected.revision
     and stored.cursor == expected.cursor then
    return stored
  end
  return nil
end
