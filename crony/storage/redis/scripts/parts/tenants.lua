-- The tenant: a hash, whose document only the driver reads. Between its removal and
-- that of the last it has left behind it is leaving.

local tenants = {}

local function member(name)
  return call('HGET', P .. 'tenant', name) or nil
end

-- Return what the driver keeps of the tenant, or nil.
function tenants.document()
  return member('document')
end

-- Return the tenant's revision, or nil where there is no tenant.
function tenants.revision()
  return tonumber(member('revision') or nil)
end

-- Return how many of its runs may be in workers' hands, or nil.
function tenants.limit()
  return tonumber(member('max_concurrent') or nil)
end

-- Return the profile that it names, or nil.
function tenants.profile()
  return member('profile')
end

-- Return whether nothing of it comes due or is leased.
function tenants.held()
  return member('held') ~= nil
end

-- Keep the tenant; members that are missing are not there, or false.
function tenants.put(tenant)
  call('DEL', P .. 'tenant')
  call('HSET', P .. 'tenant', 'document', tenant.document,
       'revision', tenant.revision)
  if tenant.profile then
    call('HSET', P .. 'tenant', 'profile', tenant.profile)
  end
  if tenant.max_concurrent then
    call('HSET', P .. 'tenant', 'max_concurrent', tenant.max_concurrent)
  end
  if tenant.held then
    call('HSET', P .. 'tenant', 'held', 1)
  end
end

-- Count what it has; `live` are its runs that are not over, withdrawn ones apart.
function tenants.usage()
  local live = 0
  local tally = call('HGETALL', P .. 'tally')
  for n = 1, #tally, 2 do
    if tally[n]:sub(1, 1) ~= '\0' then
      live = live + tonumber(tally[n + 1])
    end
  end
  return {
    schedules = call('ZCARD', P .. 'by:created'),
    workers = call('HLEN', P .. 'workers'),
    pending = call('ZCARD', P .. 'runs:pending'),
    live = live,
  }
end

-- Return the number of the removal that is not finished yet, or nil.
function tenants.leaving()
  return tonumber(call('GET', P .. 'leaving') or nil)
end

-- Begin a removal; return its number.
function tenants.leave()
  local number = call('INCR', P .. 'departures')
  call('SET', P .. 'leaving', number)
  return number
end
