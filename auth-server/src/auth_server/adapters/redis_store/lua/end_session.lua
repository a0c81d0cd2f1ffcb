-- A: digest.
return end_session(A[1])
