-- Note that a group's pause is carried over, unless a schedule lags behind.
-- parts: groups
local stored = groups.find(args.name)
if not stored or stored.revision ~= args.revision then
  return pack(false)
end
local lagging = stored.paused and 'group:free:' or 'group:held:'
if call('ZCARD', P .. lagging .. args.name) > 0 then
  return pack(false)
end
if not stored.carried then
  local group = unpacked(pack(stored))
  group.carried = true
  groups.put(group, stored)
end
return pack(true)
