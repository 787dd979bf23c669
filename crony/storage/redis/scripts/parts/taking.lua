-- Leases are taken back.
-- parts: ending, admission

local taking = {}

-- Take these runs back: offers become pending, attempts are lost. Answers the losses
-- and the queues to tell.
function taking.take(list, now)
  table.sort(list, function(one, other)
    return one.id < other.id
  end)
  local losses = {}
  for _, run in ipairs(list) do
    if run.state == 'leased' then
      ending.take_offer(run, now)
    else
      losses[#losses + 1] = ending.lose(run, now)
    end
  end
  return {losses, admission.finish()}
end
