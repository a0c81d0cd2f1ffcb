-- Forgets a batch. A: its id in the stream, flow ids.
for number = 2, #A do
    redis.call('LREM', name('audit-of', A[number]), 1, A[1])
end
return redis.call('XDEL', PREFIX .. 'audit', A[1])
