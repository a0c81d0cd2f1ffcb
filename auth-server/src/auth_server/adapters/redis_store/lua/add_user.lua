-- A: user_id, email, created_at, the number of workspaces, their names, names and values.
local holder = redis.call('HGET', PREFIX .. 'emails', A[2])
if holder then
    return is_repeated and holder == A[1] and 1 or 0
end
local last = 4 + A[4]
for number = 5, last do
    if not is_workspace(A[number]) then
        return 0
    end
end
redis.call('HSET', PREFIX .. 'emails', A[2], A[1])
redis.call('HSET', name('user', A[1]), unpack(A, last + 1))
redis.call('ZADD', PREFIX .. 'users', A[3], A[1])
for number = 5, last do
    count_in(A[number], 'members', 1)
end
return 1
