-- A: grant_id, handle, client_id, user_id, expires_at, workspace, role, now, names and values.
if is_repeated and redis.call('EXISTS', name('grant', A[1])) == 1 then
    return 1
end
local registration = may_be_given(A[4], A[3], A[6], A[7])
if not registration then
    return 0
end
add_grant(registration, A[1], A[2], A[3], A[4], A[5], A[8], 9)
return 1
