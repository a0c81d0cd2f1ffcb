-- Creates the store unless it is there, and migrates an older one; gives its id and schema. KEYS[1] is the store's own key.
-- ARGV: a new id, the schema of this release, the name of the default workspace.
local found = redis.call('HMGET', KEYS[1], 'id', 'schema')
if not found[1] then
    redis.call('HSET', KEYS[1], 'id', ARGV[1], 'schema', ARGV[2], 'had_keys', '0', 'probes', '0')
    return {ARGV[1], ARGV[2]}
end
if tonumber(found[2]) > 1 then
    return found
end

-- Schema 1 knew one workspace per person, as their tenant. Nobody becomes more than a member unasked.
local PREFIX = string.sub(KEYS[1], 1, -#'store' - 1)
local function count_in(workspace, what, created_at)
    if workspace == ARGV[3] then
        return
    end
    local key = PREFIX .. 'workspace:' .. workspace
    if redis.call('EXISTS', key) == 0 then
        redis.call('HSET', key, 'name', workspace, 'title', workspace, 'created_at', created_at, 'members', '0',
            'clients', '0')
        redis.call('ZADD', PREFIX .. 'workspaces', created_at, workspace)
    end
    redis.call('HINCRBY', key, what, 1)
end
for _, user_id in ipairs(redis.call('ZRANGE', PREFIX .. 'users', 0, -1)) do
    local key = PREFIX .. 'user:' .. user_id
    local user = redis.call('HMGET', key, 'tenant', 'created_at')
    redis.call('HSET', key, 'role:' .. user[1], 'member')
    redis.call('HDEL', key, 'tenant')
    count_in(user[1], 'members', user[2])
end
for _, client_id in ipairs(redis.call('ZRANGE', PREFIX .. 'clients', 0, -1)) do
    local key = PREFIX .. 'client:' .. client_id
    local client = redis.call('HMGET', key, 'registration', 'tenant', 'created_at')
    if client[1] == 'operator' then
        count_in(client[2], 'clients', client[3])
    elseif client[1] then
        redis.call('HSET', key, 'tenant', '')
    end
end
redis.call('HSET', KEYS[1], 'schema', '2')
return {found[1], '2'}
