-- The ids of deleted clients, and when that was.
return redis.call('HGETALL', PREFIX .. 'clients-deleted')
