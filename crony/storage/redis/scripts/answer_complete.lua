-- Put an answer in the place of the claim of an instant; answer whether it counted.
-- parts: answers
if not answers.claimed(args.key, args.claimed_at) then
  return pack(false)
end
answers.put(args.key, args.answer)
return pack(true)
