-- touch: writes the time into a sale, so that a WAIT behind it proves that replicas follow. It takes no memory, so it
-- works on a full Redis too.
--
-- KEYS  1 sale
-- ARGV  1 now_ms, empty in production
-- reply 1, or 0 where there is no such sale

local latest = redis.call('HGET', KEYS[1], 'time')
if not latest then return 0 end
although_full(KEYS[1])
redis.call('HSET', KEYS[1], 'time', clock(ARGV[1], latest))
return 1
