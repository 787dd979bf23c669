-- Answer the numbers of the tenant: its tallies, when the first of each queue was due
-- that is pending, and the slots of its workers, by queue and in all.
-- parts: workers
-- reads
local counts, oldest, slots, all_slots = {}, {}, {}, 0
local tally = call('HGETALL', P .. 'tally')
for n = 1, #tally, 2 do
  local queue, state = tally[n]:match('^(.-)%z(.*)$')
  counts[#counts + 1] = {queue, state, tonumber(tally[n + 1])}
  if state == 'pending' then
    local first = call('ZRANGE', P .. 'due:' .. queue, '-inf', base.digits(args.now),
                       'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
    if first[2] then
      oldest[#oldest + 1] = {queue, tonumber(first[2])}
    end
  end
end
for _, worker in ipairs(workers.all()) do
  all_slots = all_slots + worker.slots
  for _, queue in ipairs(worker.queues) do
    slots[queue] = (slots[queue] or 0) + worker.slots
  end
end
local by_queue = {}
for queue, number in pairs(slots) do
  by_queue[#by_queue + 1] = {queue, number}
end
return pack({counts = counts, oldest = oldest, slots = by_queue, all_slots = all_slots})
