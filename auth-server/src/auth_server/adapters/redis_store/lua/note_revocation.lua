-- A: revoked, name, at.
note_revocation(A[1], A[2], A[3])
return 1
