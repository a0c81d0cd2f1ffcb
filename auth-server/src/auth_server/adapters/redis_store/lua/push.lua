-- A: digest, expires_at, names and values.
local key = name('pushed', A[1])
redis.call('HSET', key, unpack(A, 3))
keep(key, PUSHED_LIFETIME + TRANSACTION_LIFETIME)
review('pushed', A[1], A[2] + TRANSACTION_LIFETIME)
return 1
