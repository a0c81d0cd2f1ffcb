return redis.call('HINCRBY', KEYS[1], 'probes', 1)
