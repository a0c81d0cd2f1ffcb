-- A: client_id, ids of people.
local ended = 0
for number = 2, #A do
    ended = ended + forget_consents(A[number], 1, A[1])
end
return is_repeated and 1 or ended
