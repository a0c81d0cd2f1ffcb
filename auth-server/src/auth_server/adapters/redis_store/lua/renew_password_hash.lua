-- A: user_id, previous hash, renewed hash.
if redis.call('HGET', name('user', A[1]), 'password_hash') == A[2] then
    redis.call('HSET', name('user', A[1]), 'password_hash', A[3])
end
return 1
