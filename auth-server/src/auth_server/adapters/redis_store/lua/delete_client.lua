-- Removes a client, with which its grants give nothing any more; revoke_client_grants ends them. A: client_id, now, the
-- registration token that it must have ('' for whatever it has).
local client = redis.call('HMGET', name('client', A[1]), 'registration', 'registration_token', 'tenant')
local registration, token, workspace = client[1], client[2] or '', client[3]
if not registration then
    return is_repeated and 1 or 0
end
if A[3] ~= '' and token ~= A[3] then
    return 0
end
-- A random id does not come back.
if registration ~= 'operator' and token == '' then
    redis.call('HSET', PREFIX .. 'clients-deleted', A[1], A[2])
end
if workspace ~= '' then
    count_in(workspace, 'clients', -1)
end
remove_client(A[1])
-- Should nobody call that script, the sweeper does its work.
review('client', A[1], A[2])
note_revocation('client', A[1], A[2])
return 1
