-- A: user_id, workspace, now, what resource servers call the membership.
if redis.call('HEXISTS', name('user', A[1]), 'role:' .. A[2]) == 0 then
    return is_repeated and 1 or 0
end
leave(A[1], A[2], A[3], A[4])
return 1
