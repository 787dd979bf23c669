-- Count what the tenant's quotas bound.
-- parts: tenants
-- reads
return pack(tenants.usage())
