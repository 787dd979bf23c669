-- Stop a run, for a person; answer it as it is then.
-- parts: ending, admission, reading
local run = runs.find(args.run)
if not run then
  return base.refused('NotFound', 'run', args.run)
elseif rules.TERMINAL[run.state] or run.state == 'withdrawn' then
  return base.refused('RunOver', args.run, run.state)
end
if rules.UNCONFIRMED[run.state] then
  ending.unstarted(run, 'cancelled', 'user', args.now)
elseif not ending.for_good(run) then
  ending.stop(run, 'user', args.now)
end
local queues = admission.finish()
return pack({reading.whole(run), queues})
