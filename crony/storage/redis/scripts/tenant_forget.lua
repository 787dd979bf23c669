-- Remove keys of a tenant while that removal goes on; answer whether it does.
-- parts: tenants
if tenants.leaving() ~= args.number then
  return pack(false)
end
for _, key in ipairs(args.keys) do
  call('UNLINK', P .. key)
end
return pack(true)
