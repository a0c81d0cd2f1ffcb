-- A: grant_id, now.
revoke(A[1], A[2])
return 1
