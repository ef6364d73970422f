-- unfold: replaces ledger entries in due by their orders, so that the orders are claimed in small portions and each is
-- looked up by itself. An order that is there already keeps the time when it is due.
--
-- It works on a full Redis too, as claim does.
--
-- KEYS  1 sale  2 due  3 aside  4 faults
-- ARGV  1 the caller's clock (see clock in the prelude)   2 n, the number of orders
--       then n order ids, and the members of the entries
-- reply {now_ms, added}; {now_ms} if there is no such sale

local head = redis.call('HMGET', KEYS[1], 'time', 'run', 'deleted')
local now, doubt = clock(ARGV[1], head[1])
if not now then return doubt end
local n, added = tonumber(ARGV[2]), 0
if not head[2] or head[3] then return {now} end
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
although_full(KEYS[1])
for i = 1, n do added = added + redis.call('ZADD', KEYS[2], 'NX', now, 'o:' .. ARGV[2 + i]) end
for i = n + 3, #ARGV do
  redis.call('ZREM', KEYS[2], ARGV[i])
  redis.call('ZREM', KEYS[3], ARGV[i])
  redis.call('HDEL', KEYS[4], ARGV[i])
end
return {now, added}
