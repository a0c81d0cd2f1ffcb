-- A: name.
local found = redis.call('HMGET', name('workspace', A[1]), 'members', 'clients')
if not found[1] then
    return is_repeated and 'removed' or 'unknown'
end
if found[1] ~= '0' or found[2] ~= '0' then
    return 'in_use'
end
redis.call('DEL', name('workspace', A[1]))
redis.call('ZREM', PREFIX .. 'workspaces', A[1])
return 'removed'
