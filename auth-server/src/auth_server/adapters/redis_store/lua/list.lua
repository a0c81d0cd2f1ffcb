-- The ids in an index, in its order. A: clients, users or workspaces.
return redis.call('ZRANGE', PREFIX .. A[1], 0, -1)
