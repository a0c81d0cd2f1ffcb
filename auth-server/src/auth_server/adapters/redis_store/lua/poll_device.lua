-- Gives what the device is told, and the grant's id where that is approved. A: device_id, digest, client_id, now.
local key, now = name('device', A[1]), tonumber(A[4])
local device = redis.call('HMGET', key, 'digest', 'client_id', 'expires_at', 'poll_interval', 'polled_at', 'decided_at',
    'grant_id')
if device[1] ~= A[2] or device[2] ~= A[3] then
    return {'unknown'}
end
if device[6] then
    return device[7] and {'approved', device[7]} or {'denied'}
end
if now >= tonumber(device[3]) then
    return {'expired'}
end
if is_repeated and device[5] == A[4] then
    return {'pending'}
end
local interval, since = tonumber(device[4]), device[5] and now - tonumber(device[5])
local is_early = since and since >= 0 and since < interval - POLL_LENIENCE
if is_early then
    interval = math.min(interval + SLOW_DOWN_SECONDS, LONGEST_INTERVAL)
end
redis.call('HSET', key, 'poll_interval', interval, 'polled_at', A[4])
return {is_early and 'too_fast' or 'pending'}
