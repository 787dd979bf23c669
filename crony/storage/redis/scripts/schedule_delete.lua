-- Remove a schedule, if it is as expected; answer what was in workers' hands.
-- parts: settling, reading
local stored = schedules.current(args.expected)
if not stored then
  return pack({false, {}, {}})
end
local missing = settling.prepare(args.settled)
if missing then
  return base.refused('NotFound', 'definition', missing)
end
settling.keep_policies(args.policies)
settling.settle_all(args.settled, args.now)
local held = {}
settling.each_open(stored.id, {'open', 'open:backfill', 'open:hooks'}, function(run)
  if rules.HELD[run.state] then
    held[#held + 1] = pack(reading.whole(run))
  end
  if rules.UNCONFIRMED[run.state] then
    ending.unstarted(run, 'cancelled', 'deleted', args.now)
  elseif run.state == 'running' and args.cancel_running then
    ending.stop(run, 'deleted', args.now)
  end
end)
events.of_schedule('deleted', stored, args.now)
schedules.drop(stored)
return pack({true, held, admission.finish()})
