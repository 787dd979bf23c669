-- Answer when the oldest event that is kept happened, if there is any.
-- reads
local entry = call('XRANGE', P .. 'events', '-', '+', 'COUNT', 1)[1]
for n = 1, entry and #entry[2] or 0, 2 do
  if entry[2][n] == 'at' then
    return pack(tonumber(entry[2][n + 1]))
  end
end
return pack(nil)
