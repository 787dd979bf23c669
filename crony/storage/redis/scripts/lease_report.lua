-- End attempts as their worker reports; one answer for each.
-- parts: polling, ending, admission

-- Keep what a hook says of the run that it follows; what that means is worked out
-- before, as if it were one whose words are progress.
local function hear(run, item)
  if run.hook and run.parent and run.hook ~= 'error' and item.heard then
    item.heard.run, item.heard.attempt = run.parent, run.hook_attempt or 0
    ending.hear(run.schedule, item.heard, args.now)
  end
end

local answers = {}
for n, item in ipairs(args.items) do
  local run = polling.known(item.run, item.token)
  local standing = 'unknown'
  if run then
    local live = rules.HELD[run.state] and run.token == item.token
    local was = not live and polling.ended(item.run, item.token)
    standing = was and rules.closed_before(was, item.state)
      or rules.standing(item.token, run.token, run.state,
                        rules.report_counts(item.state))
    if standing == 'accepted' then
      ending.close(run, item, args.now)
      hear(run, item)
    end
  end
  answers[n] = {standing = standing, state = run and run.state}
end
return pack({answers, admission.finish()})
