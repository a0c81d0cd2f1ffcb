-- A: grant_id, digest, family, now, and of the successor digest, family, expires_at, request, sealed response, key.
local grant_id, digest, now = A[1], A[2], tonumber(A[4])
local key, sealed_key = name('grant', grant_id), name('sealed', grant_id)
local grant = redis.call('HMGET', key, 'user_id', 'expires_at', 'revoked_at', 'family', 'refresh_digest',
    'refresh_expires_at', 'previous_digest', 'rotated_at', 'rotation_request', 'client_id', 'key_thumbprint', 'tenant')
if not grant[1] or grant[3] or tonumber(grant[2]) <= now or not may_give(grant[1], grant[10], grant[12]) then
    return {'gone'}
end
local bound_to = grant[11] or ''
if bound_to ~= '' and bound_to ~= A[10] then
    return {'other_key'}
end
if digest == grant[5] then
    if now >= tonumber(grant[6]) then
        return {'gone'}
    end
    -- Overwrites what the predecessor left: the client has its successor, so nobody honest will ask for the response that
    -- brought it.
    redis.call('HSET', key, 'refresh_digest', A[5], 'family', A[6], 'refresh_expires_at', A[7],
        'previous_digest', digest, 'rotated_at', A[4], 'rotation_request', A[8], 'key_thumbprint', A[10])
    redis.call('SET', sealed_key, A[9], 'EX', REPLAY_WINDOW + SEALED_SLACK)
    return {'rotated'}
end
if digest == grant[7] and now - tonumber(grant[8]) < REPLAY_WINDOW then
    local sealed = redis.call('GET', sealed_key)
    if sealed then
        return grant[9] == A[8] and {'replay', sealed} or {'differs'}
    end
end
if digest == grant[7] or A[3] == grant[4] then
    -- RFC 9700 §4.14.2: "the authorization server [...] will revoke the active refresh token"
    revoke(grant_id, A[4])
    return {'reused'}
end
return {'gone'}
