-- A: key_id, now, key_id of the key that follows, its names and values.
local stage = redis.call('HGET', name('key', A[1]), 'stage')
if not stage then
    return is_repeated and redis.call('EXISTS', name('key', A[3])) or 0
end
redis.call('DEL', name('key', A[1]))
redis.call('SREM', PREFIX .. 'keys', A[1])
forget_review('key', A[1])
if stage == 'active' then
    -- However new it is: a resource server that does not know it yet asks for it.
    local following = key_of_stage('next')
    redis.call('HSET', name('key', following), 'stage', 'active', 'changed_at', A[2])
end
if stage ~= 'retired' then
    add_key(A[3], 4)
end
return 1
