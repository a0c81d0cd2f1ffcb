-- A: digest, now, of the first refresh token, if there is one: digest, family, expires_at, and the thumbprint of the key to
-- which it is bound, if to any.
local key, now = name('code', A[1]), tonumber(A[2])
local code = redis.call('HMGET', key, 'grant_id', 'expires_at', 'used_at', 'wrong_verifiers')
if not code[1] then
    return 'gone'
end
local grant_key = name('grant', code[1])
local grant = redis.call('HMGET', grant_key, 'user_id', 'revoked_at', 'refresh_digest', 'client_id', 'tenant')
if code[3] then
    if is_repeated and A[3] ~= '' and grant[3] == A[3] and not grant[2] then
        return 'redeemed'
    end
    -- RFC 6749 §4.1.2: "the authorization server [...] SHOULD revoke (when possible) all tokens previously issued"
    revoke(code[1], A[2])
    return 'reused'
end
if not grant[1] or grant[2] or not may_give(grant[1], grant[4], grant[5]) or now >= tonumber(code[2])
    or tonumber(code[4]) >= MAX_WRONG_VERIFIERS then
    return 'gone'
end
redis.call('HSET', key, 'used_at', A[2])
review('code', A[1], now + USED_CODE_MEMORY)
if A[3] ~= '' then
    redis.call('HSET', grant_key, 'refresh_digest', A[3], 'refresh_expires_at', A[5])
    if A[4] ~= '' then
        redis.call('HSET', grant_key, 'family', A[4])
    end
    if A[6] ~= '' then
        redis.call('HSET', grant_key, 'key_thumbprint', A[6])
    end
end
return 'redeemed'
