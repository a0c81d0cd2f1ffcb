-- A: user_id, hash.
if redis.call('EXISTS', name('user', A[1])) == 0 then
    return 0
end
end_sessions(A[1])
redis.call('HSET', name('user', A[1]), 'password_hash', A[2])
return 1
