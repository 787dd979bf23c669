-- List the first deliveries of webhooks that are due by now.
-- parts: webhooks
-- reads
return pack(webhooks.due(args.now, args.limit, args.without))
