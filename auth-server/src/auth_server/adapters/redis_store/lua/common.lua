-- Runs before every script but open.lua. KEYS[1] is the store's own key; each other key begins with the same hash tag, so
-- that a cluster keeps all of them in one slot. ARGV[1] is the id of the store that was opened, ARGV[2] is '1' when the
-- call is made again because the connection broke before the first reply. A holds the verb's own arguments.
-- Times are seconds since the epoch and come as arguments; they are stored as the text they came as, because Lua would
-- print them with 14 digits. Everything is judged before anything is written: an error in between undoes nothing.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
    return redis.error_reply('LOST the store that was opened is gone')
end
local PREFIX = string.sub(KEYS[1], 1, -#'store' - 1)
local is_repeated = ARGV[2] == '1'
local A = {}
for number = 3, #ARGV do
    A[number - 2] = ARGV[number]
end

local function name(kind, id)
    return PREFIX .. kind .. ':' .. id
end

-- Lets a key live that many seconds from now, or longer if it does already. What has expired is judged by comparing
-- times; Redis deletes keys later, so that neither its clock nor a restart decides anything.
local function keep(key, seconds)
    seconds = math.ceil(math.max(seconds, 0)) + SLACK
    if redis.call('TTL', key) < seconds then
        redis.call('EXPIRE', key, seconds)
    end
end

-- Has the sweeper look at a thing at that time.
local function review(kind, id, at)
    redis.call('ZADD', PREFIX .. 'reviews', at, kind .. ':' .. id)
end

local function forget_review(kind, id)
    redis.call('ZREM', PREFIX .. 'reviews', kind .. ':' .. id)
end

local function is_enabled(user_id)
    local user = redis.call('HMGET', name('user', user_id), 'email', 'disabled_at')
    return user[1] and not user[2]
end

-- Whether a grant of that person's to that client may give tokens for that workspace.
local function may_give(user_id, client_id, workspace)
    local user = redis.call('HMGET', name('user', user_id), 'email', 'disabled_at', 'role:' .. workspace)
    return user[1] and not user[2] and user[3] and redis.call('EXISTS', name('client', client_id)) == 1
end

local function is_workspace(workspace)
    return workspace == DEFAULT_WORKSPACE or redis.call('EXISTS', name('workspace', workspace)) == 1
end

-- The workspaces that a person belongs to.
local function workspaces_of(user_id)
    local found = {}
    for _, field in ipairs(redis.call('HKEYS', name('user', user_id))) do
        found[#found + 1] = string.match(field, '^role:(.*)$')
    end
    return found
end

-- Counts what keeps a workspace from being removed: members or clients. The default one never is.
local function count_in(workspace, what, change)
    if workspace ~= DEFAULT_WORKSPACE then
        redis.call('HINCRBY', name('workspace', workspace), what, change)
    end
end

-- The fields of a grant that may give tokens, unless it has expired; none of any other.
local function living_grant(grant_id)
    local key = name('grant', grant_id)
    local grant = redis.call('HMGET', key, 'user_id', 'client_id', 'revoked_at', 'tenant')
    if not grant[1] or grant[3] or not may_give(grant[1], grant[2], grant[4]) then
        return {}
    end
    return redis.call('HGETALL', key)
end

-- Tells resource servers of the end of a grant (by its handle), a client, a user or a membership.
local function note_revocation(revoked, id, at)
    redis.call('ZADD', PREFIX .. 'revocations', at, revoked .. ':' .. id)
    redis.call('EXPIRE', PREFIX .. 'revocations', REVOCATION_MEMORY + SLACK)
end

-- Ends a grant, unless it has ended: the first revocation's time stays.
local function revoke(grant_id, now)
    local key = name('grant', grant_id)
    local grant = redis.call('HMGET', key, 'user_id', 'client_id', 'handle', 'revoked_at')
    if not grant[1] or grant[4] then
        return false
    end
    redis.call('HSET', key, 'revoked_at', now)
    redis.call('DEL', name('sealed', grant_id))
    redis.call('SREM', name('user-grants', grant[1]), grant_id)
    redis.call('SREM', name('client-grants', grant[2]), grant_id)
    redis.call('EXPIRE', key, REVOKED_GRANT_MEMORY + SLACK)
    redis.call('EXPIRE', name('handle', grant[3]), REVOKED_GRANT_MEMORY + SLACK)
    review('grant', grant_id, now + REVOKED_GRANT_MEMORY)
    note_revocation('grant', grant[3], now)
    return true
end

-- Forgets what a person has allowed a client (part 1 of what a consent is about) or in a workspace (part 4); gives how
-- many consents that was.
local function forget_consents(user_id, part, value)
    local key, forgotten = name('user-consents', user_id), 0
    for _, field in ipairs(redis.call('HKEYS', key)) do
        if cjson.decode(field)[part] == value then
            forgotten = forgotten + redis.call('HDEL', key, field)
        end
    end
    return forgotten
end

-- Takes a person out of a workspace. `membership` is what resource servers call that.
local function leave(user_id, workspace, now, membership)
    for _, grant_id in ipairs(redis.call('SMEMBERS', name('user-grants', user_id))) do
        if redis.call('HGET', name('grant', grant_id), 'tenant') == workspace then
            revoke(grant_id, now)
        end
    end
    forget_consents(user_id, 4, workspace)
    redis.call('HDEL', name('user', user_id), 'role:' .. workspace)
    count_in(workspace, 'members', -1)
    note_revocation('membership', membership, now)
end

-- Ends grants of a client that is gone, some at a time: a client can have very many. Gives how many are left.
local function revoke_some(client_id, now)
    local set = name('client-grants', client_id)
    for _, grant_id in ipairs(redis.call('SPOP', set, BATCH)) do
        revoke(grant_id, now)
    end
    return redis.call('SCARD', set)
end

local function end_sessions(user_id)
    local set = name('user-sessions', user_id)
    for _, digest in ipairs(redis.call('SMEMBERS', set)) do
        redis.call('DEL', name('session', digest))
        forget_review('session', digest)
    end
    redis.call('DEL', set)
end

local function end_session(digest)
    local user_id = redis.call('HGET', name('session', digest), 'user_id')
    if user_id then
        redis.call('SREM', name('user-sessions', user_id), digest)
    end
    forget_review('session', digest)
    return redis.call('DEL', name('session', digest))
end

local function remove_client(client_id)
    redis.call('DEL', name('client', client_id))
    redis.call('ZREM', PREFIX .. 'clients', client_id)
    redis.call('ZREM', PREFIX .. 'clients-never-used', client_id)
    forget_review('client', client_id)
    forget_review('secret', client_id)
end

-- Notes that a self-registered client was heard of; one that nobody has used has less time.
local function client_heard_of(client_id, at, is_used)
    redis.call('HSET', name('client', client_id), 'last_used_at', at)
    if is_used then
        redis.call('ZREM', PREFIX .. 'clients-never-used', client_id)
        review('client', client_id, at + DYNAMIC_LIFETIME)
    else
        redis.call('ZADD', PREFIX .. 'clients-never-used', at, client_id)
        review('client', client_id, at + NEVER_USED_LIFETIME)
    end
end

-- The registration of a client whose grant may be given; nothing if client, person or membership are gone, or the person
-- is disabled: one that ended a moment ago has had its grants revoked, and must not get another.
local function may_be_given(user_id, client_id, workspace, role)
    return is_enabled(user_id) and redis.call('HGET', name('user', user_id), 'role:' .. workspace) == role
        and redis.call('HGET', name('client', client_id), 'registration')
end

-- Adds a grant that may be given. Names and values of its fields begin at A[first].
local function add_grant(registration, grant_id, handle, client_id, user_id, expires_at, at, first)
    redis.call('HSET', name('client', client_id), 'last_used_at', at, 'used_at', at)
    if registration ~= 'operator' then
        client_heard_of(client_id, at, true)
    end
    local memory = expires_at - at + USED_CODE_MEMORY
    redis.call('HSET', name('grant', grant_id), unpack(A, first))
    redis.call('SET', name('handle', handle), grant_id)
    keep(name('grant', grant_id), memory)
    keep(name('handle', handle), memory)
    for _, set in ipairs({name('user-grants', user_id), name('client-grants', client_id)}) do
        redis.call('SADD', set, grant_id)
        keep(set, memory)
    end
    review('grant', grant_id, at + USED_CODE_MEMORY)
end

local function key_of_stage(stage)
    for _, key_id in ipairs(redis.call('SMEMBERS', PREFIX .. 'keys')) do
        if redis.call('HGET', name('key', key_id), 'stage') == stage then
            return key_id
        end
    end
end

-- Adds the signing key whose fields begin at A[first]: key_id, then names and values.
local function add_key(key_id, first, last)
    redis.call('SADD', PREFIX .. 'keys', key_id)
    redis.call('HSET', name('key', key_id), unpack(A, first, last))
end

local function all_keys()
    local keys = {}
    for number, key_id in ipairs(redis.call('SMEMBERS', PREFIX .. 'keys')) do
        keys[number] = redis.call('HGETALL', name('key', key_id))
    end
    return keys
end
