-- A: user_id, client_id, now.
for _, grant_id in ipairs(redis.call('SINTER', name('user-grants', A[1]), name('client-grants', A[2]))) do
    local expires_at = redis.call('HGET', name('grant', grant_id), 'expires_at')
    if expires_at and tonumber(expires_at) > tonumber(A[3]) then
        return 1
    end
end
return 0
