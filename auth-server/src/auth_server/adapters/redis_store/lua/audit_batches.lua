-- Batches in order. A: the stream's id to begin at, how many.
return redis.call('XRANGE', PREFIX .. 'audit', A[1], '+', 'COUNT', A[2])
