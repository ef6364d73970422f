-- losses: says what would be lost if a sale were deleted, and whether create and delete would delete it. It writes
-- nothing.
--
-- KEYS  1 sale  2 ledger  3 notify
-- ARGV  1 the caller's clock (see clock in the prelude)   2 what may be lost (see loss)
-- reply {"agreed" or "lost", …}  what would be lost (see named in loss); "agreed" if all of it may be
--       {"-"}                    no such sale, or only its tombstone

local fields = redis.call('HGETALL', KEYS[1])
local sale = {}
for i = 1, #fields, 2 do sale[fields[i]] = fields[i + 1] end
if not sale.run or sale.deleted then return {'-'} end
local now, doubt = clock(ARGV[1], sale.time)
if not now then return doubt end
local lost = losses(sale, now, KEYS[2], KEYS[3])
return named(agreed(lost, ARGV[2]) and 'agreed' or 'lost', lost)
