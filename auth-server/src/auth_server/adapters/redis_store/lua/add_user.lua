-- A: user_id, email, created_at, names and values.
local holder = redis.call('HGET', PREFIX .. 'emails', A[2])
if holder then
    return is_repeated and holder == A[1] and 1 or 0
end
redis.call('HSET', PREFIX .. 'emails', A[2], A[1])
redis.call('HSET', name('user', A[1]), unpack(A, 4))
redis.call('ZADD', PREFIX .. 'users', A[3], A[1])
return 1
