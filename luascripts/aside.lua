-- aside: sets aside members that fail by themselves, so that the others go on. Each is tried again after a pause that
-- doubles each time, up to the longest. The script settle takes back a member that no longer fails.
--
-- It works on a full Redis too: what it writes is bounded by the number of orders.
--
-- KEYS  1 sale  2 due  3 again  4 alone  5 strangers  6 refunds  7 aside  8 faults
-- ARGV  1 the caller's clock (see clock in the prelude)   2 the first pause in ms   3 the longest
--       4 "1" to leave a member as it is if it is set aside already, else empty
--       then member, reason, member, reason, …
-- reply {now_ms, n}: how many members are newly set aside; {now_ms} if there is no such sale
--
-- The hash faults has for each member: since when it is set aside, how often it has failed, and the last reason.

local head = redis.call('HMGET', KEYS[1], 'time', 'run', 'deleted')
local now, doubt = clock(ARGV[1], head[1])
if not now then return doubt end
local first, longest, new = tonumber(ARGV[2]), tonumber(ARGV[3]), 0
if not head[2] or head[3] then return {now} end
for k = 2, 7 do redis.call('ZCARD', KEYS[k]) end
although_full(KEYS[1])
for i = 5, #ARGV, 2 do
  local member, reason = ARGV[i], ARGV[i + 1]
  local since, tries = string.match(redis.call('HGET', KEYS[8], member) or '', '^(%d+)\31(%d+)\31')
  if not since then new = new + 1 end
  if not since or ARGV[4] ~= '1' then
    since, tries = since or whole(now), tonumber(tries or 0)
    for k = 2, 6 do redis.call('ZREM', KEYS[k], member) end
    redis.call('ZADD', KEYS[7], now + math.min(first * 2 ^ math.min(tries, 30), longest), member)
    redis.call('HSET', KEYS[8], member, table.concat({since, tries + 1, reason}, SEP))
  end
end
return {now, new}
