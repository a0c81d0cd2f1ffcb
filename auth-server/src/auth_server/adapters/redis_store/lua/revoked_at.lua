-- A: revoked, name.
return redis.call('ZSCORE', PREFIX .. 'revocations', A[1] .. ':' .. A[2])
