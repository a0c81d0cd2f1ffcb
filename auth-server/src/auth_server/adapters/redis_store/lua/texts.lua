-- The texts of a kind; of an unknown one, none. A: kind, ids.
local found = {}
for number = 2, #A do
    found[number - 1] = redis.call('GET', name(A[1], A[number])) or ''
end
return found
