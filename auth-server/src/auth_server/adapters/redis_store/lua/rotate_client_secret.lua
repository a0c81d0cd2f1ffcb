-- A: client_id, secret (digest and time of creation), the time until which the present one lives on.
local key = name('client', A[1])
local client = redis.call('HMGET', key, 'confidential', 'secret')
if client[1] ~= '1' then
    return 0
end
if is_repeated and client[2] == A[2] then
    return 1
end
-- Of two secrets the older one ends now: at most two are alive at a time.
redis.call('HDEL', key, 'previous_secret')
if client[2] then
    redis.call('HSET', key, 'previous_secret', client[2] .. ' ' .. A[3])
    review('secret', A[1], A[3])
end
redis.call('HSET', key, 'secret', A[2])
return 1
