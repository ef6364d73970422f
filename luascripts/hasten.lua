-- hasten: makes an order due now, because a webhook named it, but not more often than once in a given time.
--
-- The queue hastened has the time when an order is due; or, below zero, the time when it was last looked up.
--
-- KEYS  1 sale  2 orders  3 hastened
-- ARGV  1 the caller's clock (see clock in the prelude)   2 least ms between two look-ups for webhooks   3 order id
-- reply {1} if the sale has the order, else {0}
--
-- It works on a full Redis too, so that orders are settled there.

if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 0 then return {0} end
local now, doubt = clock(ARGV[1], redis.call('HGET', KEYS[1], 'time'))
if not now then return doubt end
local pause, member = tonumber(ARGV[2]), 'o:' .. ARGV[3]
local last = redis.call('ZMSCORE', KEYS[3], member)[1]
last = last and tonumber(last)
if last and last >= 0 then return {1} end -- it waits already
local old = redis.call('ZRANGEBYSCORE', KEYS[3], pause - now, '(0', 'LIMIT', 0, 100)
although_full(KEYS[1])
if #old > 0 then redis.call('ZREM', KEYS[3], unpack(old)) end
redis.call('ZADD', KEYS[3], last and math.max(now, pause - last) or now, member)
return {1}
