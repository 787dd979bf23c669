-- Take or prolong a duty; answer whether this holder has it, and when it was last done.
local duty = base.record(call('HGET', P .. 'duties', args.duty)) or {}
local last = duty.last
if duty.holder and duty.holder ~= args.holder and duty.ends > args.now then
  return pack({held = false, last = last})
end
duty.holder, duty.ends = args.holder, args.ends
duty.last = math.max(last or args.now, args.now)
call('HSET', P .. 'duties', args.duty, pack(duty))
return pack({held = true, last = last})
