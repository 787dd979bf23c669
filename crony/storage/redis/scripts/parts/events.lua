-- Events: a stream whose ids are the sequences; those of a schedule also by sequence.

local events = {}

-- Leave an event; `fields` is what it says, packed, after the name of that.
local function tell(kind, at, subject, schedule, ...)
  local sequence = call('INCR', P .. 'events:last')
  call('XADD', P .. 'events', base.digits(sequence) .. '-0', 'type', kind, 'at', at,
       'subject', subject, 'schedule', schedule, ...)
  if schedule ~= '' then
    call('ZADD', P .. 'events:of:' .. schedule, sequence, sequence)
  end
end

-- Tell what happened to a schedule.
function events.of_schedule(word, schedule, at)
  local data = {id = schedule.id, name = schedule.name, revision = schedule.revision}
  tell('schedule.' .. word, at, schedule.id, schedule.id, 'data', pack(data))
end

-- Tell what happened to a worker.
function events.of_worker(word, worker, at)
  local state = word == 'registered' and 'online' or word
  local data = {id = worker.id, name = worker.name, state = state}
  tell('worker.' .. word, at, worker.id, '', 'data', pack(data))
end

-- Tell what happened to a run, as it is now.
function events.of_run(word, run, at)
  tell('run.' .. word, at, run.id, run.schedule, 'run', pack(run))
end
