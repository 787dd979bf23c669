-- Answer whether any worker serves a queue and carries labels.
-- parts: workers
-- reads
local function carries(worker)
  local labels = cjson.decode(worker.labels)
  for name, value in pairs(args.requires) do
    if labels[name] ~= value then
      return false
    end
  end
  return true
end
for _, worker in ipairs(workers.all()) do
  for _, queue in ipairs(worker.queues) do
    if queue == args.queue and carries(worker) then
      return pack(true)
    end
  end
end
return pack(false)
