-- Handles some of what is due; gives how many. A: now.
local now = tonumber(A[1])
local reviews = PREFIX .. 'reviews'

local sweeps = {}

function sweeps.session(digest)
    end_session(digest)
end

function sweeps.transaction(digest)
    redis.call('DEL', name('transaction', digest))
end

function sweeps.pushed(digest)
    redis.call('DEL', name('pushed', digest))
end

function sweeps.device(device_id)
    redis.call('DEL', name('device', device_id))
end

function sweeps.code(digest)
    redis.call('DEL', name('code', digest))
end

-- Forgets consents that have expired; gives the time at which the next one does.
function sweeps.consents(user_id)
    local key, next_end = name('user-consents', user_id), nil
    local stored = redis.call('HGETALL', key)
    for number = 1, #stored, 2 do
        local ends = cjson.decode(stored[number + 1]).expires_at
        if ends <= now then
            redis.call('HDEL', key, stored[number])
        else
            next_end = math.min(next_end or ends, ends)
        end
    end
    return next_end
end

function sweeps.token(token_id)
    redis.call('DEL', name('initial-token', token_id))
    redis.call('ZREM', PREFIX .. 'initial-tokens', token_id)
end

function sweeps.secret(client_id)
    redis.call('HDEL', name('client', client_id), 'previous_secret')
end

function sweeps.key(key_id)
    redis.call('DEL', name('key', key_id))
    redis.call('SREM', PREFIX .. 'keys', key_id)
end

-- Deletes a grant of which nothing is alive, or gives the time to look at it again.
function sweeps.grant(grant_id)
    local key = name('grant', grant_id)
    local grant = redis.call('HMGET', key, 'user_id', 'client_id', 'handle', 'code', 'revoked_at', 'refresh_expires_at')
    if not grant[1] then
        return
    end
    local code = grant[4] or ''
    if not grant[5] then
        local code_until = redis.call('ZSCORE', reviews, 'code:' .. code)
        local alive_until = math.max(tonumber(grant[6] or 0), tonumber(code_until or 0))
        if alive_until > now then
            return alive_until
        end
        redis.call('SREM', name('user-grants', grant[1]), grant_id)
        redis.call('SREM', name('client-grants', grant[2]), grant_id)
    end
    redis.call('DEL', key, name('handle', grant[3]), name('sealed', grant_id), name('code', code))
    forget_review('code', code)
end

-- Forgets a self-registered client, unless it has grants: then it is looked at again when one of them is. Of one that is
-- gone it ends the grants that are left.
function sweeps.client(client_id)
    if redis.call('EXISTS', name('client', client_id)) == 0 then
        return revoke_some(client_id, A[1]) > 0 and now or nil
    end
    local set = name('client-grants', client_id)
    local grant_id = redis.call('SRANDMEMBER', set)
    while grant_id do
        local review_at = redis.call('ZSCORE', reviews, 'grant:' .. grant_id)
        if review_at then
            return math.max(tonumber(review_at), now)
        end
        redis.call('SREM', set, grant_id)
        grant_id = redis.call('SRANDMEMBER', set)
    end
    remove_client(client_id)
end

redis.call('ZREMRANGEBYSCORE', PREFIX .. 'revocations', '-inf', now - REVOCATION_MEMORY)
local due = redis.call('ZRANGEBYSCORE', reviews, '-inf', now, 'LIMIT', 0, BATCH)
for _, member in ipairs(due) do
    local kind, id = string.match(member, '^(%l+):(.*)$')
    local again = sweeps[kind](id)
    if again then
        redis.call('ZADD', reviews, again, member)
    else
        redis.call('ZREM', reviews, member)
    end
end
return #due
