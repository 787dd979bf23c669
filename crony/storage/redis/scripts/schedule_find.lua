-- Find a schedule by its id or name.
-- parts: schedules
-- reads
local id = schedules.resolve(args.reference)
local it = id and schedules.find(id)
return pack(it and schedules.whole(it))
