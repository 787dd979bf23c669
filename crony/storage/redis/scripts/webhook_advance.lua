-- Add deliveries to a webhook and move its position on; answer whether it counted.
-- parts: webhooks
local stored = webhooks.find(args.name)
if not stored or stored.position ~= args.from
  or webhooks.pending(args.name) >= args.most then
  return pack(false)
end
local new = {}
for _, delivery in ipairs(args.deliveries) do
  if not webhooks.delivery(args.name, delivery.sequence) then
    new[#new + 1] = delivery
  end
end
stored.position = args.to
named.put('webhooks', stored)
webhooks.deliver(stored, new)
return pack(true)
