-- Forget deliveries that ended long ago; answer how many.
-- parts: webhooks
local gone, looked = 0, 0
repeat
  local removed
  removed, looked = webhooks.forget(args.before, args.limit - gone)
  gone = gone + removed
until gone >= args.limit or looked == 0
return pack(gone)
