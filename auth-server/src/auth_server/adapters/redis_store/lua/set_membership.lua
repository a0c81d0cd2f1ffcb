-- A: user_id, workspace, role, now, what resource servers call the membership.
local key, field = name('user', A[1]), 'role:' .. A[2]
if redis.call('EXISTS', key) == 0 then
    return 'no_user'
end
if not is_workspace(A[2]) then
    return 'no_workspace'
end
local present = redis.call('HGET', key, field)
if not present and #workspaces_of(A[1]) >= MAX_MEMBERSHIPS then
    return 'too_many'
end
if not present then
    count_in(A[2], 'members', 1)
elseif present ~= A[3] then
    leave(A[1], A[2], A[4], A[5])
    count_in(A[2], 'members', 1)
end
redis.call('HSET', key, field, A[3])
return 'joined'
