-- Record how far an attempt is.
-- parts: polling, ending
local standing = polling.standing(args.entry.run, args.token)
if standing == 'accepted' then
  local run = runs.find(args.entry.run)
  ending.hear(run.schedule, args.entry, args.entry.at)
  runs.write()
end
return pack(standing)
