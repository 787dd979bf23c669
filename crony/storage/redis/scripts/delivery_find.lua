-- Find a delivery by its webhook and the sequence of its event.
-- parts: webhooks
-- reads
local delivery = webhooks.delivery(args.webhook, args.sequence)
return pack(delivery and delivery.document)
