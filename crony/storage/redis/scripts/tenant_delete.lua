-- Remove the tenant, if nothing of it is in use; answer whether it counted, or what is.
-- What it leaves is removed piece by piece: until then it is leaving.
-- parts: tenants, keys
local revision = tenants.revision()
if not revision or revision ~= args.expected then
  return pack({counted = false})
end
local usage = tenants.usage()
if usage.schedules + usage.workers + usage.live > 0 then
  return pack({counted = false, usage = usage})
end
local digests = keys.digests()
for _, name in ipairs({'tenant', 'keys', 'keys:made', 'groups', 'groups:names',
                       'groups:uncarried', 'profiles', 'profiles:names', 'webhooks',
                       'webhooks:names', 'webhooks:due'}) do
  call('UNLINK', P .. name)
end
return pack({counted = true, digests = digests, leaving = tenants.leave()})
