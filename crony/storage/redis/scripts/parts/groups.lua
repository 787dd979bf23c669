-- Groups, by name; which profile they name, and whose pause is not carried over.
-- parts: named

local groups = {}

-- Return the group of that name, or nil.
function groups.find(name)
  return named.find('groups', name)
end

-- Return how many of a group's runs may be in workers' hands, or nil.
function groups.limit(name)
  local group = groups.find(name)
  return group and group.max_concurrent or nil
end

-- Return how many schedules a group has.
function groups.schedules(name)
  return call('ZCARD', P .. 'group:held:' .. name)
    + call('ZCARD', P .. 'group:free:' .. name)
end

local function unmark(group)
  if group.profile then
    call('SREM', P .. 'groups:profile:' .. group.profile, group.name)
  end
  call('ZREM', P .. 'groups:uncarried', group.name)
end

-- Keep a group in place of another of its name, or of none.
function groups.put(group, before)
  if before then
    unmark(before)
  end
  named.put('groups', group)
  if group.profile then
    call('SADD', P .. 'groups:profile:' .. group.profile, group.name)
  end
  if not group.carried then
    call('ZADD', P .. 'groups:uncarried', 0, group.name)
  end
end

-- Note that a group's pause is not carried over any more.
function groups.uncarry(group)
  group.carried = false
  named.put('groups', group)
  call('ZADD', P .. 'groups:uncarried', 0, group.name)
end

-- Forget a group.
function groups.drop(group)
  unmark(group)
  named.drop('groups', group.name)
end
