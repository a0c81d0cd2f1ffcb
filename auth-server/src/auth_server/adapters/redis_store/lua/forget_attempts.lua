-- A: key.
return redis.call('DEL', name('attempts', A[1]))
