-- List deliveries of a webhook, the newest event first; one more than asked for.
-- parts: webhooks
-- reads
local from = args.after and '(' .. base.digits(args.after) or '+inf'
local found = {}
for _, sequence in ipairs(call('ZRANGE', P .. 'deliveries:order:' .. args.webhook, from,
                               '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, args.limit + 1)) do
  found[#found + 1] = webhooks.delivery(args.webhook, sequence).document
end
return pack(found)
