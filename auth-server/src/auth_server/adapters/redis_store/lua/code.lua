-- The fields of a code and of its grant. A: digest.
local code = redis.call('HGETALL', name('code', A[1]))
local grant_id = redis.call('HGET', name('code', A[1]), 'grant_id')
return {code, redis.call('HGETALL', name('grant', grant_id or ''))}
