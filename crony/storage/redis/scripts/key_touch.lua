-- Note when keys were used; that never moves back.
-- parts: keys
for id, used_at in pairs(args.used) do
  local key = keys.find(id)
  if key and (key.used_at or used_at) <= used_at then
    key.used_at = used_at
    call('HSET', P .. 'keys', key.id, pack(key))
  end
end
return pack(true)
