-- Bring the schema's numbers to a release's, save where they are a newer one's.
-- Answers the floor that is stored then.
local kept = call('HMGET', P .. 'numbers', 'version', 'floor')
local floor = tonumber(kept[2] or kept[1] or 0)
if floor <= args.version and tonumber(kept[1] or 0) <= args.version then
  call('HSET', P .. 'numbers', 'version', base.digits(args.version),
       'floor', base.digits(args.floor))
  floor = args.floor
end
return pack(floor)
