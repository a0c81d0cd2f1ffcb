-- A: token_id, created_at, expires_at, names and values.
if is_repeated and redis.call('EXISTS', name('initial-token', A[1])) == 1 then
    return 1
end
redis.call('HSET', name('initial-token', A[1]), unpack(A, 4))
redis.call('ZADD', PREFIX .. 'initial-tokens', A[2], A[1])
keep(name('initial-token', A[1]), A[3] - A[2])
keep(PREFIX .. 'initial-tokens', A[3] - A[2])
review('token', A[1], A[3])
return 1
