-- Return the earliest cursor of the active schedules.
-- parts: tenants
-- reads
local first = call('ZRANGE', P .. 'cursors', 0, 0, 'WITHSCORES')
return pack(not tenants.held() and tonumber(first[2]) or nil)
