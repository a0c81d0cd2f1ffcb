-- A: address.
local user_id = redis.call('HGET', PREFIX .. 'emails', A[1])
return redis.call('HGETALL', name('user', user_id or ''))
