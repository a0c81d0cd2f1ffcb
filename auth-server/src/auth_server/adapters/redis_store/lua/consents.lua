-- What a person's consents are about, and what they say, in turn; of clients that are there. A: user_id.
local stored, found = redis.call('HGETALL', name('user-consents', A[1])), {}
for number = 1, #stored, 2 do
    if redis.call('EXISTS', name('client', cjson.decode(stored[number])[1])) == 1 then
        found[#found + 1] = stored[number]
        found[#found + 1] = stored[number + 1]
    end
end
return found
