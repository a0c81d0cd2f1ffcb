-- Gives the time at which the oldest attempt leaves a full window, nothing when this one was counted.
-- A: key, hits, seconds, now.
local key, hits, seconds, now = name('attempts', A[1]), tonumber(A[2]), tonumber(A[3]), tonumber(A[4])
local counting, oldest, newest = {}, math.huge, now
for at in string.gmatch(redis.call('HGET', key, 'attempts') or '', '%S+') do
    local moment = tonumber(at)
    if math.abs(moment - now) < seconds then
        counting[#counting + 1] = at
        oldest, newest = math.min(oldest, moment), math.max(newest, moment)
    end
end
if #counting >= hits then
    return string.format('%.17g', oldest + seconds)
end
counting[#counting + 1] = A[4]
redis.call('HSET', key, 'key', A[1], 'attempts', table.concat(counting, ' '), 'ends_at', newest + seconds)
-- No longer than needed: a flood from many addresses leaves many windows.
redis.call('EXPIRE', key, math.ceil(newest + seconds - now) + 1)
return ''
