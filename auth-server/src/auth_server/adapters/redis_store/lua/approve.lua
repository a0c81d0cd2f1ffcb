-- A: digest of the transaction, now, grant_id, handle, client_id, user_id, expires_at of the grant, its workspace and the
-- person's role in it, digest and expires_at of the code, the number of the code's fields, their names and values, names
-- and values of the grant's.
local transaction, now = name('transaction', A[1]), tonumber(A[2])
local grant_id, handle, client_id, user_id, grant_expires_at = A[3], A[4], A[5], A[6], A[7]
local workspace, role, code, code_expires_at = A[8], A[9], A[10], A[11]
local last = 12 + 2 * A[12]
local found = redis.call('HMGET', transaction, 'expires_at', 'decided_at', 'grant_id')
if is_repeated and found[3] == grant_id then
    return 1
end
-- A client, person or membership that ended a moment ago has had its grants revoked; it must not get another.
local registration = redis.call('HGET', name('client', client_id), 'registration')
if not registration or not is_enabled(user_id)
    or redis.call('HGET', name('user', user_id), 'role:' .. workspace) ~= role then
    return 0
end
if not found[1] or found[2] or tonumber(found[1]) <= now then
    return 0
end
redis.call('HSET', transaction, 'decided_at', A[2], 'grant_id', grant_id)
redis.call('HSET', name('client', client_id), 'last_used_at', A[2], 'used_at', A[2])
if registration ~= 'operator' then
    client_heard_of(client_id, A[2], true)
end
local lifetime = grant_expires_at - now
local grant_key, code_key = name('grant', grant_id), name('code', code)
redis.call('HSET', grant_key, 'code', code, unpack(A, last + 1))
redis.call('SET', name('handle', handle), grant_id)
redis.call('HSET', code_key, unpack(A, 13, last))
keep(grant_key, lifetime + USED_CODE_MEMORY)
keep(name('handle', handle), lifetime + USED_CODE_MEMORY)
keep(code_key, code_expires_at - now + USED_CODE_MEMORY)
for _, set in ipairs({name('user-grants', user_id), name('client-grants', client_id)}) do
    redis.call('SADD', set, grant_id)
    keep(set, lifetime + USED_CODE_MEMORY)
end
review('code', code, code_expires_at + USED_CODE_MEMORY)
review('grant', grant_id, now + USED_CODE_MEMORY)
return 1
