-- Return what is left of the runs of a schedule that were pruned.
-- parts: schedules
-- reads
return pack(base.record(call('GET', schedules.key(args.schedule) .. ':pruned')))
