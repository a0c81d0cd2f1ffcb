-- A: client_id, registration, created_at, workspace or nothing, id of an initial access token or nothing, the number of
-- fields that a renewed document replaces, names and values: first of those fields, then of all.
local client_id, registration, at, workspace, token = A[1], A[2], A[3], A[4], A[5]
local key = name('client', client_id)
if redis.call('HEXISTS', PREFIX .. 'clients-deleted', client_id) == 1 then
    return 'deleted'
end
if workspace ~= '' and not is_workspace(workspace) then
    return 'no_workspace'
end
local known = redis.call('HMGET', key, 'registration', 'last_used_at', 'used_at', 'created_at')
if known[1] then
    if registration == 'document' and known[1] ~= 'document' then
        return 'known'
    end
    if registration == 'document' then
        redis.call('HSET', key, unpack(A, 7, 6 + 2 * A[6]))
    end
    if known[1] ~= 'operator' and tonumber(at) > tonumber(known[2]) then
        client_heard_of(client_id, at, known[3])
    end
    return is_repeated and known[4] == at and 'added' or 'known'
end
if token ~= '' then
    local good = redis.call('HMGET', name('initial-token', token), 'uses', 'max_uses', 'expires_at')
    if not good[1] or tonumber(good[1]) >= tonumber(good[2]) or tonumber(good[3]) <= tonumber(at) then
        return 'no_token'
    end
    redis.call('HINCRBY', name('initial-token', token), 'uses', 1)
    redis.call('HSET', key, 'used_at', at)
end
redis.call('HSET', key, 'last_used_at', at, unpack(A, 7 + 2 * A[6]))
redis.call('ZADD', PREFIX .. 'clients', at, client_id)
if workspace ~= '' then
    count_in(workspace, 'clients', 1)
end
if registration ~= 'operator' then
    client_heard_of(client_id, at, token ~= '')
    -- Anyone may register, so what that costs has a bound. A client with a grant has been used, and stays.
    local excess = redis.call('ZCARD', PREFIX .. 'clients-never-used') - MAX_NEVER_USED
    if excess > 0 then
        for _, oldest in ipairs(redis.call('ZRANGE', PREFIX .. 'clients-never-used', 0, excess - 1)) do
            remove_client(oldest)
        end
    end
end
return 'added'
