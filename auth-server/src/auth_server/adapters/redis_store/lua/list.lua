-- The ids in an index, in its order. A: clients or users.
return redis.call('ZRANGE', PREFIX .. A[1], 0, -1)
