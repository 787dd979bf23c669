-- Find a revision of a definition.
-- parts: schedules
-- reads
local revision = 'definition:' .. base.digits(args.revision)
return pack(call('HGET', schedules.key(args.schedule), revision) or nil)
