-- Leave a note with a duty; answer whether it counted: only its holder's does.
local duty = base.record(call('HGET', P .. 'duties', args.duty))
if not duty or duty.holder ~= args.holder then
  return pack(false)
end
duty.note = args.note
call('HSET', P .. 'duties', args.duty, pack(duty))
return pack(true)
