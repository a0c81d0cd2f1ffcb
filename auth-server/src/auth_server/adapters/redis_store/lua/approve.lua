-- A: digest of the transaction, now, grant_id, handle, client_id, user_id, expires_at of the grant, its workspace and the
-- person's role in it, what is to be done about a consent (remember, rest_on, or nothing), what that is about, what it
-- says, its expires_at, digest and expires_at of the code, the number of the code's fields, their names and values, names
-- and values of the grant's.
local transaction, now = name('transaction', A[1]), tonumber(A[2])
local grant_id, handle, client_id, user_id, grant_expires_at = A[3], A[4], A[5], A[6], A[7]
local workspace, role, code, code_expires_at = A[8], A[9], A[14], A[15]
local consents, todo, about, consent, consent_expires_at = name('user-consents', user_id), A[10], A[11], A[12], A[13]
local last = 16 + 2 * A[16]
local found = redis.call('HMGET', transaction, 'expires_at', 'decided_at', 'grant_id')
if is_repeated and found[3] == grant_id then
    return 1
end
local registration = may_be_given(user_id, client_id, workspace, role)
if not registration then
    return 0
end
if not found[1] or found[2] or tonumber(found[1]) <= now then
    return 0
end
if todo == 'rest_on' and (redis.call('HGET', consents, about) ~= consent or tonumber(consent_expires_at) <= now) then
    return 0
end
redis.call('HSET', transaction, 'decided_at', A[2], 'grant_id', grant_id)
add_grant(registration, grant_id, handle, client_id, user_id, grant_expires_at, A[2], last + 1)
redis.call('HSET', name('grant', grant_id), 'code', code)
redis.call('HSET', name('code', code), unpack(A, 17, last))
keep(name('code', code), code_expires_at - now + USED_CODE_MEMORY)
review('code', code, code_expires_at + USED_CODE_MEMORY)
if todo == 'remember' then
    redis.call('HSET', consents, about, consent)
    keep(consents, consent_expires_at - now)
    if not redis.call('ZSCORE', PREFIX .. 'reviews', 'consents:' .. user_id) then
        review('consents', user_id, consent_expires_at)
    end
end
return 1
