-- Number, time and hash of the last batch that was appended.
return redis.call('HMGET', KEYS[1], 'audit_sequence', 'audit_time_ms', 'audit_hash')
