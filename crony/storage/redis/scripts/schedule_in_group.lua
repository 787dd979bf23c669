-- List schedules of a group that are held, or are not, by id.
-- parts: schedules
-- reads
local key = P .. (args.held and 'group:held:' or 'group:free:') .. args.group
return pack(schedules.all(call('ZRANGE', key, 0, args.limit - 1)))
