-- Forget a key; answer it, if it was there.
-- parts: keys
local key = keys.find(args.key)
if key then
  keys.drop(key)
end
return pack(key)
