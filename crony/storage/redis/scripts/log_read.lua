-- Answer the output of an attempt after a sequence, and whether no more will come.
-- parts: runs, logs
-- reads
local run = runs.read(args.run)
if not run then
  return pack({pieces = {}, closed = true})
end
local live = rules.HELD[run.state] and run.attempt == args.attempt or false
local token = live and run.token
local fields = live and {} or call('HGETALL', runs.key(run.id))
for n = 1, #fields, 2 do
  if fields[n]:sub(1, 8) == 'attempt:'
     and unpacked(fields[n + 1]).number == args.attempt then
    token = tonumber(fields[n]:sub(9))
  end
end
if not token then
  local closed = rules.TERMINAL[run.state] or args.attempt <= run.attempt
  return pack({pieces = {}, closed = closed})
end
return pack({pieces = logs.pieces(run.id, token, args.after), closed = not live})
