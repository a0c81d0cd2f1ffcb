-- Creates the store unless it is there; gives its id and schema. A: a new id, the schema of this release.
local found = redis.call('HMGET', KEYS[1], 'id', 'schema')
if not found[1] then
    redis.call('HSET', KEYS[1], 'id', ARGV[1], 'schema', ARGV[2], 'had_keys', '0', 'probes', '0')
    return {ARGV[1], ARGV[2]}
end
return found
