-- Profiles, by name, and what refers to them.
-- parts: named, tenants

local profiles = {}

-- Return whether what names a profile, or none, may do so.
function profiles.there(name)
  return name == nil or named.exists('profiles', name)
end

-- Return how many schedules, groups and tenants refer to a profile.
function profiles.uses(name)
  return {
    call('HLEN', P .. 'profile:schedules:' .. name),
    call('SCARD', P .. 'groups:profile:' .. name),
    tenants.profile() == name and 1 or 0,
  }
end
