-- A: digest, now, and of the transaction digest, expires_at, names and values.
local pushed, transaction = name('pushed', A[1]), name('transaction', A[3])
local found = redis.call('HMGET', pushed, 'expires_at', 'started_transaction')
if found[2] then
    return found[2] == A[3] and 1 or 0
end
if not found[1] or tonumber(found[1]) <= tonumber(A[2]) then
    return 0
end
redis.call('HSET', pushed, 'started_transaction', A[3], 'parameters', '[]')
redis.call('HSET', transaction, unpack(A, 5))
keep(transaction, TRANSACTION_LIFETIME)
review('transaction', A[3], A[4])
return 1
