return redis.call('HGET', KEYS[1], 'had_keys')
