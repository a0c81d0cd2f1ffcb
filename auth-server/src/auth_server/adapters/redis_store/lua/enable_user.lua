-- A: user_id.
redis.call('HDEL', name('user', A[1]), 'disabled_at')
return redis.call('EXISTS', name('user', A[1]))
