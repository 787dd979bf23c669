-- Forget answers that were claimed long ago; answer how many.
-- parts: answers
local until_ = '(' .. base.digits(args.before)
local old = call('ZRANGE', P .. 'answers:claimed', '-inf', until_,
                 'BYSCORE', 'LIMIT', 0, args.limit)
for _, key in ipairs(old) do
  answers.drop(key)
end
return pack(#old)
