-- The fields of each grant, and the response of its last rotation. A: ids.
local found = {}
for number, grant_id in ipairs(A) do
    found[number] = {redis.call('HGETALL', name('grant', grant_id)), redis.call('GET', name('sealed', grant_id))}
end
return found
