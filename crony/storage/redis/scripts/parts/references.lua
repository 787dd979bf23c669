-- What a schedule refers to is there, and as it thinks.
-- parts: schedules, groups, profiles

local references = {}

-- Return what to refuse a schedule with, or nil.
function references.refusal(it)
  local holder = it.name and call('HGET', P .. 'schedules:named', it.name)
  if holder and holder ~= it.id then
    return {'NameTaken', 'schedule', it.name, holder}
  end
  return nil
end

-- Return what is missing of what a schedule refers to, or nil.
function references.missing(it)
  local group = groups.find(it.group)
  if not group then
    return {'NotFound', 'group', it.group}
  elseif not profiles.there(it.profile) then
    return {'NotFound', 'profile', it.profile}
  elseif (group.paused or false) ~= (it.held or false) then
    return {'Lagging', it.group}
  end
  return nil
end
