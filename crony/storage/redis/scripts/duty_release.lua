-- Give a duty up, if this holder has it.
local duty = base.record(call('HGET', P .. 'duties', args.duty))
if duty and duty.holder == args.holder then
  duty.holder = nil
  call('HSET', P .. 'duties', args.duty, pack(duty))
end
return pack(true)
