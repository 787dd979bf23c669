-- Answer whether the tenant is leaving.
-- parts: tenants
-- reads
return pack(tenants.leaving())
