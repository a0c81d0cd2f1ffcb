-- The fields of the grant of a handle, if it may give tokens; none else. A: handle.
local grant_id = redis.call('GET', name('handle', A[1]))
local key = grant_id and name('grant', grant_id)
local grant = key and redis.call('HMGET', key, 'user_id', 'client_id', 'revoked_at')
if not grant or not grant[1] or grant[3] or not may_give(grant[1], grant[2]) then
    return {}
end
return redis.call('HGETALL', key)
