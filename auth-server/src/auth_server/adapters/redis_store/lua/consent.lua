-- A: user_id, client_id, what it is about.
if redis.call('EXISTS', name('client', A[2])) == 0 then
    return ''
end
return redis.call('HGET', name('user-consents', A[1]), A[3]) or ''
