-- A: key, expires_at, now.
local key, expires_at, now = name('used', A[1]), tonumber(A[2]), tonumber(A[3])
local until_then = redis.call('GET', key)
if until_then and tonumber(until_then) > now then
    return 0
end
redis.call('SET', key, A[2], 'EX', math.max(math.ceil(expires_at - now), 0) + USED_SLACK)
return 1
