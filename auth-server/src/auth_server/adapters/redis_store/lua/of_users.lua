-- The fields of what these people have. A: session or grant, ids of people.
local found = {}
for number = 2, #A do
    for _, id in ipairs(redis.call('SMEMBERS', name('user-' .. A[1] .. 's', A[number]))) do
        found[#found + 1] = redis.call('HGETALL', name(A[1], id))
    end
end
return found
