-- Note when a key was used; that never moves back.
-- parts: keys
local key = keys.find(args.key)
if key and (key.used_at or args.used_at) <= args.used_at then
  key.used_at = args.used_at
  call('HSET', P .. 'keys', key.id, pack(key))
end
return pack(true)
