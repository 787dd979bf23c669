-- Leave a follow-up for each running run whose progress hook has come due.
-- parts: runs, owing
local due = call('ZRANGEBYSCORE', P .. 'pulses', '-inf', args.now, 'LIMIT', 0,
                 args.limit)
for _, id in ipairs(due) do
  local run = runs.find(id)
  run.pulses = run.pulses + 1
  run.pulse_at = rules.next_pulse(run.started_at, run.hook_interval, args.now)
  owing.leave(run, 'progress', run.pulses, args.now)
  runs.save(run)
end
runs.write()
return pack(#due)
