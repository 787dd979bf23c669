-- Answer the tenant's document, if there is the tenant.
-- parts: tenants
-- reads
return pack(tenants.document())
