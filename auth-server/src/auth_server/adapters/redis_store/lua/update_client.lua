-- A: client_id, names and values.
if redis.call('EXISTS', name('client', A[1])) == 0 then
    return 0
end
redis.call('HSET', name('client', A[1]), unpack(A, 2))
return 1
