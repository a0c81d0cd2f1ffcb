-- A: token_id.
redis.call('ZREM', PREFIX .. 'initial-tokens', A[1])
forget_review('token', A[1])
return redis.call('DEL', name('initial-token', A[1])) == 1 and 1 or is_repeated and 1 or 0
