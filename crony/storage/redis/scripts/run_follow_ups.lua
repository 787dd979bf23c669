-- List hooks that are owed, oldest first.
-- reads
return pack(call('ZRANGE', P .. 'follow_ups', 0, args.limit - 1, 'WITHSCORES'))
