-- A: key_id of the active and of the next key, the number of fields of each, names and values of both.
-- Where keys have been, new ones would hide that the old were lost, and refuse every token that is out.
if redis.call('HGET', KEYS[1], 'had_keys') ~= '1' then
    redis.call('HSET', KEYS[1], 'had_keys', '1')
    add_key(A[1], 4, 3 + 2 * A[3])
    add_key(A[2], 4 + 2 * A[3])
end
return all_keys()
