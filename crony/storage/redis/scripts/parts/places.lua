-- Limits of groups and of the tenant: who has a place, and what a free one lets go.
-- parts: runs, tenants, groups

local places = {}

local limits = {}

local function limit(group)
  if limits[group] == nil then
    limits[group] = groups.limit(group) or false
  end
  return limits[group] or nil
end

local function tenant_limit()
  if limits['|tenant'] == nil then
    limits['|tenant'] = tenants.limit() or false
  end
  return limits['|tenant'] or nil
end

local function free(most, key)
  return most and most - call('ZCARD', P .. key) or math.huge
end

-- Return how many more runs of a group may be held; of no group, any number.
function places.of_group(group)
  return group == '' and math.huge or free(limit(group), 'held:group:' .. group)
end

-- Return how many more runs of the tenant may be held.
function places.of_tenant()
  return free(tenant_limit(), 'held:tenant')
end

-- Whether one more run of a group may be held; of no group, always.
function places.open(group)
  return group == '' or (places.of_tenant() > 0 and places.of_group(group) > 0)
end

-- Meet the groups and queues in which runs are offered.
local function offered(meet)
  lines.write()
  for _, field in ipairs(call('HKEYS', P .. 'offered')) do
    local group, queue = field:match('^([^|]*)|(.*)$')
    meet(group, queue)
  end
end

-- Tell the queues in which runs of a group, or of any, wait that have a place.
local function opened(of)
  offered(function(group, queue)
    if group ~= '' and (of == nil or group == of) and places.open(group) then
      lines.ready[queue] = true
    end
  end)
end

-- Tell what has a place only now that runs have left their workers' hands.
function places.freed()
  if tenants.held() then
    return
  end
  local most = tenant_limit()
  local all = places.of_tenant()
  if all <= 0 then
    return
  end
  if most and runs.all_left > 0 and all - runs.all_left <= 0 then
    opened(nil)
    return
  end
  for group, left in pairs(runs.left) do
    local now = places.of_group(group)
    if left > 0 and now > 0 and now - left <= 0 then
      opened(group)
    end
  end
end

-- Return the groups and queues of what is offered and can't be leased, for `told`.
function places.stuck()
  local found = {}
  local held = tenants.held()
  offered(function(group, queue)
    if held or not places.open(group) then
      found[#found + 1] = {group, queue}
    end
  end)
  return found
end

-- Return the queues of what was stuck and is not any more, after limits were changed.
function places.unstuck(stuck)
  limits = {}
  if tenants.held() then
    return {}
  end
  for _, each in ipairs(stuck) do
    if places.open(each[1]) then
      lines.ready[each[2]] = true
    end
  end
  return lines.told()
end
