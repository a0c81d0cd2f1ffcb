-- Removes a client, with which its grants give nothing any more; revoke_client_grants ends them. A: client_id, now.
local registration = redis.call('HGET', name('client', A[1]), 'registration')
if not registration then
    return is_repeated and 1 or 0
end
if registration ~= 'operator' then
    redis.call('HSET', PREFIX .. 'clients-deleted', A[1], A[2])
end
remove_client(A[1])
-- Should nobody call that script, the sweeper does its work.
review('client', A[1], A[2])
note_revocation('client', A[1], A[2])
return 1
