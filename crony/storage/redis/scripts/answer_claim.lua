-- Keep a claim, if its key is new; else answer the document that is kept for it.
-- parts: answers
local stored = answers.find(args.key)
if stored then
  return pack(stored.document)
end
answers.put(args.key, args.answer)
return pack(nil)
