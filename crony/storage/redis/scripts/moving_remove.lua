-- Forget runs of a held tenant, save those in workers' hands; answer how many.
-- parts: moving
local gone = 0
for _, id in ipairs(args.runs) do
  local run = runs.find(id)
  if run and moving.may_go(run) then
    moving.remove(run)
    gone = gone + 1
  end
end
admission.finish()
return pack(gone)
