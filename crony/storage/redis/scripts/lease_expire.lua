-- Take back what was not confirmed, and what was not renewed; also says how many.
-- parts: taking
local gone = {}
local function overdue(set, instant, limit)
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. set, '-inf', instant, 'LIMIT', 0,
                           limit)) do
    gone[#gone + 1] = runs.find(id)
  end
end
overdue('offers', args.unconfirmed, args.offers)
local offers = #gone
overdue('leases', args.now, args.leases)
local leases = #gone - offers
local result = taking.take(gone, args.now)
return pack({offers, leases, result[1], result[2]})
