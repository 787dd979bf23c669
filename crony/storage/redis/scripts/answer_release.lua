-- Forget the claim of an instant.
-- parts: answers
if answers.claimed(args.key, args.claimed_at) then
  answers.drop(args.key)
end
return pack(true)
