-- Ends some grants of a client that is gone; gives how many are left. A: client_id, now.
local left = revoke_some(A[1], A[2])
if left == 0 then
    forget_review('client', A[1])
end
return left
