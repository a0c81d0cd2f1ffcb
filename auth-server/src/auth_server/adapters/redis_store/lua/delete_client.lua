-- A: client_id, now.
local registration = redis.call('HGET', name('client', A[1]), 'registration')
if not registration then
    return is_repeated and 1 or 0
end
revoke_all(name('client-grants', A[1]), A[2])
if registration ~= 'operator' then
    redis.call('HSET', PREFIX .. 'clients-deleted', A[1], A[2])
end
remove_client(A[1])
return 1
