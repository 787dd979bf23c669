-- Offers that give way to a run that is due before they are.
-- parts: ending, places, admission

local recalling = {}

local NO_LIMIT = 2147483647

-- Take back the latest offer that meets a condition and starts after an instant;
-- return the worker that had it, or nil.
local function recall(meets, after, now)
  for _, id in ipairs(call('ZREVRANGEBYSCORE', P .. 'offers', '+inf',
                           '(' .. base.digits(after))) do
    local other = runs.find(id)
    if other.origin ~= 'hook' and meets(other) then
      local worker = other.worker
      ending.take_offer(other, now)
      return worker
    end
  end
  return nil
end

-- Take back the offers that give way to a new run; return their workers.
-- `ahead` is how long before its instant an offer may be confirmed.
function recalling.recall_for(run, now, ahead)
  local workers = {}
  if run.origin == 'hook' then
    return workers
  end
  local after = run.available_at + ahead
  local limit = admission.limit(run.schedule)
  local held = call('ZCARD', P .. 'schedule:' .. run.schedule .. ':held')
  if limit ~= NO_LIMIT and held >= limit then
    workers[#workers + 1] = recall(function(other)
      return other.schedule == run.schedule
    end, after, now)
  end
  if places.of_group(run.group) <= 0 then
    workers[#workers + 1] = recall(function(other)
      return other.group == run.group
    end, after, now)
  end
  if places.of_tenant() <= 0 then
    workers[#workers + 1] = recall(function()
      return true
    end, after, now)
  end
  return workers
end
