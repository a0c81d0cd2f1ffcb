-- The fields of the grant of a handle, if it may give tokens; none else. A: handle.
local grant_id = redis.call('GET', name('handle', A[1]))
return grant_id and living_grant(grant_id) or {}
