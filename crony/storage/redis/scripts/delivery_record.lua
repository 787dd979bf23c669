-- Keep how a delivery went, if it was tried that often; answer whether it counted.
-- parts: webhooks
local stored = webhooks.delivery(args.webhook, args.delivery.sequence)
if not stored or stored.tries ~= args.tries then
  return pack(false)
end
webhooks.deliver(webhooks.find(args.webhook), {args.delivery})
return pack(true)
