-- Keep a new key; answer whether its id is new.
-- parts: keys
if keys.find(args.key.id) then
  return pack(false)
end
keys.put(args.key)
return pack(true)
