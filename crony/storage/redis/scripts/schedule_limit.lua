-- Give schedules their limits, and admit anew where it is another one.
-- parts: admission, schedules
for _, item in ipairs(args.items) do
  local stored = schedules.find(item.id)
  if stored and stored.revision == item.revision
     and admission.limit(item.id) ~= item.limit then
    schedules.limit(item.id, item.limit)
    runs.touched[item.id] = true
  end
end
return pack(admission.finish())
