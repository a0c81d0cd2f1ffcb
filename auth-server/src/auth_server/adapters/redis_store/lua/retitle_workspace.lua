-- A: name, title.
local key = name('workspace', A[1])
if redis.call('EXISTS', key) == 0 then
    return 0
end
redis.call('HSET', key, 'title', A[2])
return 1
