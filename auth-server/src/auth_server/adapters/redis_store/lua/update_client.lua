-- A: client_id, the registration token that it must have ('' for whatever it has), the one that it gets, names and values.
local client = redis.call('HMGET', name('client', A[1]), 'client_id', 'registration_token')
if not client[1] then
    return 0
end
if A[2] ~= '' and client[2] ~= A[2] then
    return is_repeated and client[2] == A[3] and 1 or 0
end
redis.call('HSET', name('client', A[1]), unpack(A, 4))
return 1
