-- A: name, created_at, names and values.
local key = name('workspace', A[1])
local created_at = redis.call('HGET', key, 'created_at')
if created_at then
    return is_repeated and created_at == A[2] and 1 or 0
end
redis.call('HSET', key, 'members', '0', 'clients', '0', unpack(A, 3))
redis.call('ZADD', PREFIX .. 'workspaces', A[2], A[1])
return 1
