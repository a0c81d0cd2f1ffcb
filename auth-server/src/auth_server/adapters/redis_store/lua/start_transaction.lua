-- A: digest, expires_at, names and values.
local key = name('transaction', A[1])
redis.call('HSET', key, unpack(A, 3))
keep(key, TRANSACTION_LIFETIME)
review('transaction', A[1], A[2])
return 1
