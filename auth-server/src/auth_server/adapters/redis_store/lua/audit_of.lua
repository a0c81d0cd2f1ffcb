-- Batches that tell of a flow, in order. A: flow id, the first and the last of them to give.
local found = {}
for _, id in ipairs(redis.call('LRANGE', name('audit-of', A[1]), A[2], A[3])) do
    found[#found + 1] = redis.call('XRANGE', PREFIX .. 'audit', id, id)[1]
end
return found
