-- What storage.rules and policy.py decide, again in Lua; a test compares the two.

local rules = {}

local function set(...)
  local found = {}
  for _, word in ipairs({...}) do
    found[word] = true
  end
  return found
end

rules.TERMINAL = set('succeeded', 'failed', 'timed_out', 'cancelled', 'missed',
                     'skipped', 'expired')
rules.HELD = set('leased', 'running', 'stopping')
rules.EXECUTING = set('running', 'stopping')
rules.LEASED = set('leased')
-- What no worker has begun with.
rules.UNCONFIRMED = set('pending', 'leased')
rules.FAILURES = set('failed', 'timed_out')
rules.FAULTS = set('failed', 'timed_out', 'lost')

-- One is kept for the other: see ended_as.
local STOPPED = set('cancelled', 'preempted')
-- Milliseconds: policy.TURN and policy.CATCH_UP_TURN.
local TURN, CATCH_UP_TURN = 3600000, 86400000
local LEVELS = {none = 0, landlock = 1, namespaces = 2, full = 3}

-- How many progress entries of a schedule are kept.
rules.PROGRESS_KEPT = 20

-- What a write under a token meets that its worker was once given.
function rules.standing(token, current, state, counts)
  if token ~= current then
    return 'stale'
  elseif counts[state] then
    return 'accepted'
  elseif rules.TERMINAL[state] or state == 'stopping' then
    return 'over'
  end
  return 'stale'
end

-- The states of a run in which a closing counts that reports this state.
function rules.report_counts(reported)
  return reported == 'failed' and rules.HELD or rules.EXECUTING
end

-- The standing of a closing whose attempt has ended already; nil leaves it to the run.
function rules.closed_before(was, reported)
  if was == 'lost' then
    return 'stale'
  elseif was == reported or (STOPPED[was] and STOPPED[reported]) then
    return 'repeated'
  end
  return nil
end

-- What an attempt counts as that ended as was reported.
function rules.ended_as(before, cause, reported)
  if before == 'stopping' and STOPPED[reported] then
    return cause == 'preempted' and 'preempted' or 'cancelled'
  end
  return reported
end

-- Why a lease must be given up; newest: its token is the run's.
function rules.cause(state, reason, newest)
  if state == 'stopping' or (state == 'cancelled' and newest) then
    if reason == 'user' then
      return 'cancelled'
    elseif state == 'stopping' and reason then
      return reason
    elseif reason == 'deleted' then
      return reason
    end
  end
  return 'lost'
end

local function final(deleted, state, reason, retry_at)
  if deleted and state == 'pending' then
    return 'cancelled', 'deleted', nil
  end
  return state, reason, retry_at
end

local function after_report(before, attempt, reason, retry_at, now)
  if attempt == 'preempted' then
    return 'pending', 'preempted', now
  elseif rules.FAILURES[attempt] and retry_at and before ~= 'stopping' then
    return 'pending', reason, retry_at
  end
  return attempt, reason, nil
end

-- What follows a report: the run's state, its reason, and when it may start again.
function rules.closing_verdict(before, cause, closing, deleted, now, deadline_at)
  local ended = rules.ended_as(before, cause, closing.state)
  local reason = closing.reason
  if before == 'stopping' and ended == 'cancelled' then
    reason = reason or cause
  end
  if before == 'stopping' and cause == 'preempted' then
    before = 'running'
  end
  local retry_at = closing.retry_at
  if deleted or (retry_at and deadline_at and retry_at >= deadline_at) then
    retry_at = nil
  end
  return final(deleted, after_report(before, ended, reason, retry_at, now))
end

local function after_loss(before, cause, lost, max_lost, now)
  if before == 'stopping' and cause ~= 'preempted' then
    return 'cancelled', cause, nil
  elseif lost >= max_lost then
    return 'failed', 'lost', nil
  end
  return 'pending', 'lost', now
end

-- What follows when a worker vanished with an attempt.
function rules.loss_verdict(before, cause, lost, max_lost, deleted, now)
  return final(deleted, after_loss(before, cause, lost, max_lost, now))
end

-- The hook that is owed when an attempt has ended so; state is the run's after it.
function rules.follow_up(hooks, attempt, state)
  local kind = nil
  if state == 'succeeded' then
    kind = 'success'
  elseif rules.FAILURES[attempt] or (attempt == 'lost' and state == 'failed') then
    kind = 'error'
  end
  for _, each in ipairs(hooks or {}) do
    if each == kind then
      return kind
    end
  end
  return nil
end

-- When a progress hook is due next, after now; the interval is in microseconds.
function rules.next_pulse(started_at, interval, now)
  local gone = (now + 1 - started_at) * 1000
  local beats = math.max(1, math.ceil(gone / interval))
  -- The quotient of two doubles may be off by one where it is a whole number.
  if beats > 1 and (beats - 1) * interval >= gone then
    beats = beats - 1
  elseif beats * interval < gone then
    beats = beats + 1
  end
  return started_at + math.floor(beats * interval / 1000)
end

-- The instant by which a run comes before all that is due from then on.
function rules.turn(run)
  if run.catch_up then
    return run.created_at + CATCH_UP_TURN
  end
  local latest = run.due_at + TURN
  return run.deadline_at and math.min(run.deadline_at, latest) or latest
end

-- How many runs that catch up a worker may have in its hands.
function rules.catch_up_share(slots)
  return math.max(1, math.floor(slots / 2))
end

-- How strong a sandbox level is; an unknown one counts as none.
function rules.rank(level)
  return LEVELS[level] or 0
end

-- Whether each required label is there with that value; pairs of name and value.
function rules.carries(labels, requires)
  for _, pair in ipairs(requires) do
    if labels[pair[1]] ~= pair[2] then
      return false
    end
  end
  return true
end

local function started(session)
  local number = (session or ''):match('^ses_(%d+)_[^\n]*$')
  if not number or #number > 18 then
    return nil
  end
  return ('0'):rep(18 - #number) .. number
end

-- Whether a session is known to be older than the stored one.
function rules.began_before(session, stored)
  local one, other = started(session), started(stored)
  return one ~= nil and other ~= nil and one < other
end

-- The later of an instant and another, prolonged by microseconds.
function rules.after(instant, duration)
  return instant + math.floor(duration / 1000)
end
