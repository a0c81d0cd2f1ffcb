-- A: device_id, digest, created_at, expires_at, names and values.
local key = name('device', A[1])
local known = redis.call('HGET', key, 'digest')
if known then
    return is_repeated and known == A[2] and 1 or 0
end
redis.call('HSET', key, unpack(A, 5))
keep(key, A[4] - A[3] + DEVICE_MEMORY)
review('device', A[1], A[4] + DEVICE_MEMORY)
return 1
