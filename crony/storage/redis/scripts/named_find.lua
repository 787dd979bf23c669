-- Find a thing by its name.
-- parts: named
-- reads
return pack(named.find(args.kind, args.name))
