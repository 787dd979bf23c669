-- Remove a webhook with its deliveries; answer whether it counted.
-- parts: webhooks
local stored = webhooks.find(args.name)
if not stored or stored.revision ~= args.expected then
  return pack(false)
end
webhooks.drop(stored)
return pack(true)
