-- A: digest, user_id, authenticated_at, expires_at, verified hash, digest of the session that this one replaces,
-- names and values.
-- Whoever was disabled, or given another password, while this one was being verified does not get in with it.
if not is_enabled(A[2]) or redis.call('HGET', name('user', A[2]), 'password_hash') ~= A[5] then
    return 0
end
if A[6] ~= '' then
    end_session(A[6])
end
local lifetime = A[4] - A[3]
local key, set = name('session', A[1]), name('user-sessions', A[2])
redis.call('HSET', key, unpack(A, 7))
keep(key, lifetime)
redis.call('SADD', set, A[1])
keep(set, lifetime)
review('session', A[1], A[4])
return 1
