-- Answer the note that was left with a duty last.
-- reads
local duty = base.record(call('HGET', P .. 'duties', args.duty))
return pack(duty and duty.note)
