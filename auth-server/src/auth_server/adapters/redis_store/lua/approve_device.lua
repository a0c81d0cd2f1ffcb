-- A: device_id, now, grant_id, handle, client_id, user_id, expires_at of the grant, its workspace and the
-- person's role in it, names and values of the grant's fields, its first token's among them.
local device, grant_id = name('device', A[1]), A[3]
local found = redis.call('HMGET', device, 'expires_at', 'decided_at', 'grant_id')
if is_repeated and found[3] == grant_id then
    return 1
end
local registration = may_be_given(A[6], A[5], A[8], A[9])
if not registration or not found[1] or found[2] or tonumber(found[1]) <= tonumber(A[2]) then
    return 0
end
redis.call('HSET', device, 'decided_at', A[2], 'grant_id', grant_id)
add_grant(registration, grant_id, A[4], A[5], A[6], A[7], A[2], 10)
return 1
