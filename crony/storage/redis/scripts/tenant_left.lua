-- End a removal, unless that is done: nothing is left of the tenant.
-- parts: tenants
if tenants.leaving() == args.number then
  call('DEL', P .. 'leaving')
end
return pack(true)
