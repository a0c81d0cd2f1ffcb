-- Appends a batch that follows the head, and points to it from the flows it tells of; 1 also if it is there already.
-- A: sequence, time_ms, previous, hash, body, flow ids.
local stream, id = PREFIX .. 'audit', A[2] .. '-' .. A[1]
local head = redis.call('HMGET', KEYS[1], 'audit_sequence', 'audit_hash')
if tonumber(head[1] or 0) + 1 ~= tonumber(A[1]) or (head[2] or string.rep('\0', 32)) ~= A[3] then
    local there = redis.call('XRANGE', stream, id, id)[1]
    return there and there[2][4] == A[4] and 1 or 0
end
redis.call('XADD', stream, id, 'previous', A[3], 'hash', A[4], 'body', A[5])
redis.call('HSET', KEYS[1], 'audit_sequence', A[1], 'audit_time_ms', A[2], 'audit_hash', A[4])
for number = 6, #A do
    redis.call('RPUSH', name('audit-of', A[number]), id)
end
return 1
