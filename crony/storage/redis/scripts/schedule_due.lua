-- List active schedules whose cursor has come, earliest first.
-- parts: schedules, tenants
-- reads
if tenants.held() then
  return pack({})
end
return pack(schedules.all(call('ZRANGEBYSCORE', P .. 'cursors', '-inf', args.horizon,
                               'LIMIT', 0, args.limit)))
