-- Answer the sequence of the newest event that was pruned, and of the newest there is.
-- reads
local newest = call('XREVRANGE', P .. 'events', '+', '-', 'COUNT', 1)[1]
return pack({
  tonumber(call('GET', P .. 'events:forgotten') or 0),
  newest and tonumber(newest[1]:match('^%d+')) or 0,
})
