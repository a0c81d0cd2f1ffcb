-- The fields of a grant that may give tokens; none else. A: grant_id.
return living_grant(A[1])
