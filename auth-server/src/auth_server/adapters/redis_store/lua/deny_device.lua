-- A: device_id, now.
local key = name('device', A[1])
local found = redis.call('HMGET', key, 'expires_at', 'decided_at', 'grant_id')
if is_repeated and found[2] == A[2] and not found[3] then
    return 1
end
if not found[1] or found[2] or tonumber(found[1]) <= tonumber(A[2]) then
    return 0
end
redis.call('HSET', key, 'decided_at', A[2])
return 1
