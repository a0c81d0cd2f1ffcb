-- A: handle, now, client_id or nothing for any.
local grant_id = redis.call('GET', name('handle', A[1]))
if not grant_id then
    return 0
end
local grant = redis.call('HMGET', name('grant', grant_id), 'client_id', 'revoked_at')
if A[3] ~= '' and A[3] ~= grant[1] then
    return 0
end
if is_repeated and grant[2] == A[2] then
    return 1
end
return revoke(grant_id, A[2]) and 1 or 0
