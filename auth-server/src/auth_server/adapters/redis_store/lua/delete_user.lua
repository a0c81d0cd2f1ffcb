-- A: user_id, now.
local email = redis.call('HGET', name('user', A[1]), 'email')
if not email then
    return is_repeated and 1 or 0
end
for _, grant_id in ipairs(redis.call('SMEMBERS', name('user-grants', A[1]))) do
    revoke(grant_id, A[2])
end
for _, workspace in ipairs(workspaces_of(A[1])) do
    count_in(workspace, 'members', -1)
end
end_sessions(A[1])
redis.call('HDEL', PREFIX .. 'emails', email)
redis.call('ZREM', PREFIX .. 'users', A[1])
redis.call('DEL', name('user', A[1]), name('user-grants', A[1]), name('user-consents', A[1]))
forget_review('consents', A[1])
note_revocation('user', A[1], A[2])
return 1
