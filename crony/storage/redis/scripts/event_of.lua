-- List events of a schedule after a sequence, as the stream has them.
-- reads
local found = {}
for _, sequence in ipairs(call('ZRANGE', P .. 'events:of:' .. args.schedule,
                               '(' .. base.digits(args.after), '+inf', 'BYSCORE',
                               'LIMIT', 0, args.limit)) do
  found[#found + 1] = call('XRANGE', P .. 'events', sequence, sequence)[1]
end
return pack(found)
