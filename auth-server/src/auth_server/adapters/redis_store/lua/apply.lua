-- Runs commands that only add. A: of each command the number of its words, and the words.
local first = 1
while first <= #A do
    local words = tonumber(A[first])
    redis.call(unpack(A, first + 1, first + words))
    first = first + words + 1
end
return 1
