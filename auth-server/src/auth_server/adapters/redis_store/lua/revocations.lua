-- A: since. Gives names and times, one after the other.
return redis.call('ZRANGEBYSCORE', PREFIX .. 'revocations', A[1], '+inf', 'WITHSCORES')
