-- The fields of each thing of a kind; of an unknown one, none. A: kind, ids.
local found = {}
for number = 2, #A do
    found[number - 1] = redis.call('HGETALL', name(A[1], A[number]))
end
return found
