-- Gives the time from which the next key may be promoted, nothing when that is done. A: key_id, now, names and values.
local following = key_of_stage('next')
if not following then
    return redis.error_reply('LOST there is no next key')
end
if is_repeated and following == A[1] then
    return ''
end
local promotable_at = redis.call('HGET', name('key', following), 'promotable_at')
if tonumber(A[2]) < tonumber(promotable_at) then
    return promotable_at
end
local active = key_of_stage('active')
if active then
    -- What can no longer sign need not stay: the private half goes with the stage.
    redis.call('HSET', name('key', active), 'stage', 'retired', 'sealed', '', 'changed_at', A[2])
    keep(name('key', active), RETIRED_LIFETIME)
    review('key', active, A[2] + RETIRED_LIFETIME)
end
redis.call('HSET', name('key', following), 'stage', 'active', 'changed_at', A[2])
add_key(A[1], 3)
return ''
