-- Find a key by its id.
-- parts: keys
-- reads
return pack(keys.find(args.key))
