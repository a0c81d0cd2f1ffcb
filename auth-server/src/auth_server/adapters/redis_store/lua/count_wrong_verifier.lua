-- A: digest.
local code = redis.call('HMGET', name('code', A[1]), 'grant_id', 'used_at')
if code[1] and not code[2] then
    redis.call('HINCRBY', name('code', A[1]), 'wrong_verifiers', 1)
end
return 1
