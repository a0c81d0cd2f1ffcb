-- A: user_id, now.
if redis.call('EXISTS', name('user', A[1])) == 0 then
    return 0
end
end_sessions(A[1])
redis.call('HSETNX', name('user', A[1]), 'disabled_at', A[2])
note_revocation('user', A[1], A[2])
return 1
