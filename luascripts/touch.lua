-- touch: writes the time into a sale, so that a WAIT after it proves that replicas follow. It takes no memory, so it
-- works on a full Redis too.
--
-- KEYS  1 sale
-- ARGV  1 the caller's clock (see clock in the prelude)
--       2 version that the sale's settings must have; empty or left out for any
-- reply 1, or 0 if there is no such sale, or its settings have another version

local head = redis.call('HMGET', KEYS[1], 'time', 'version')
if not head[1] or (ARGV[2] or '') ~= '' and ARGV[2] ~= head[2] then return 0 end
local now, doubt = clock(ARGV[1], head[1])
if not now then return doubt end
although_full(KEYS[1])
redis.call('HSET', KEYS[1], 'time', now)
return 1
