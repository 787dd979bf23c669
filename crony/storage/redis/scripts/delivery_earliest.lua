-- Answer when the first delivery is due.
-- parts: webhooks
-- reads
return pack(webhooks.earliest())
