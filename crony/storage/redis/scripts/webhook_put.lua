-- Create or replace a webhook, which keeps its position; answer whether it counted.
-- parts: webhooks
local stored = webhooks.find(args.webhook.name)
if not named.expected(stored, args.expected) then
  return pack(false)
end
if stored then
  args.webhook.position = stored.position
end
webhooks.put(args.webhook)
return pack(true)
