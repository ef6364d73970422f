-- brake: decides, for all gates, whether the cancellation of a payment that is refund due may be sent, and notes it.
--
-- Two things pull the sale's brake: within ten minutes more cancellations than the larger of 20 and 5 % of the paid
-- orders, or ten in a row for one reason that a setting causes. The cancellation that would be too many is not sent,
-- and no other is, until a person lets them go on (unbrake) or the settings turn the brake off. Each refund is counted
-- once: its note says that it was, and the gate that tries it again passes that on. The script works on a full Redis
-- too: what it writes is bounded by the refunds.
--
-- Fields of the sale's hash:
-- brake        while the brake holds: since_ms, what pulled it ("rate", "row" or "unreadable"), the reason of the
--              refund that pulled it, how many there were, and how many are allowed
-- brake_count  the count: the reason of the last refund, how many in a row had it, how many more a person lets go
--              uncounted, until_ms, and SLOT:n, the refunds of each ten seconds
-- brake_off    "1" if the settings turn the brake off: then nothing is counted
--
-- KEYS  1 sale  2 orders  3 owed  4 ledger
-- ARGV  1 the caller's clock (see clock in the prelude)   2 who   3 order id
--       4 the note as it was read, empty if there was none   5 the note to write if it may be sent, 6 if not
--       7 the refund's reason   8 "1" if a setting causes this reason, else empty
--       9 "1" if the refund was counted before, else empty
-- reply {"sent"}     it may be sent
--       {"held"}     it may not: the brake holds
--       {"pulled", what, n, bound}  it may not, and the brake holds from now on: n refunds, where bound are allowed
--       {"changed"}  the note has changed since it was read; nothing was written
--       {"none"}     the order is gone, or owes no refund; nothing was written
--       {"-"}        no such sale, or only its tombstone

local WINDOW, SLOT, FEWEST, SHARE, ROW = 600000, 10000, 20, 20, 10

local head = redis.call('HMGET', KEYS[1], 'run', 'seq', 'term', 'time', 'orders', 'deleted', 'brake_off', 'brake', 'brake_count')
if not head[1] or head[6] then return {'-'} end
local record = respelled(redis.call('HGET', KEYS[2], ARGV[3]))
if not owes_refund(record) then return {'none'} end
if (redis.call('HGET', KEYS[3], ARGV[3]) or '') ~= ARGV[4] then return {'changed'} end
local now, doubt = clock(ARGV[1], head[4])
if not now then return doubt end

local function note(text)
  although_full(KEYS[1])
  if text ~= ARGV[4] then redis.call('HSET', KEYS[3], ARGV[3], text) end
end

local function pull(what, n, bound)
  local seq = head[2] + 1
  note(ARGV[6])
  append(KEYS[4], seq, head[3], now, 'brake', ARGV[2], {}, head[5], '', {})
  redis.call('HSET', KEYS[1], 'seq', seq, 'time', now, 'brake', join({now, what, ARGV[7], n, bound}, SEP))
  return {'pulled', what, n, bound}
end

if head[8] and head[7] ~= '1' then
  note(ARGV[6])
  return {'held'}
end
if head[7] == '1' or ARGV[9] == '1' then
  note(ARGV[5])
  return {'sent'}
end

local reason, row, free, lapses, slots = string.match(head[9] or '\0310\0310\0310\31', '^([%l_]*)\31(%d+)\31(%d+)\31(%d+)\31([%d:,]*)$')
if not reason then return pull('unreadable', 0, 0) end
free = now < tonumber(lapses) and tonumber(free) or 0
if free > 0 then
  free = free - 1
else
  local slot, sum, kept = math.floor(now / SLOT), 1, {}
  local last = 1 -- this one
  for at, n in string.gmatch(slots, '(%d+):(%d+)') do
    at, n = math.min(tonumber(at), slot), tonumber(n) -- a slot in the future is from a clock that was ahead
    if at >= slot - WINDOW / SLOT then
      sum = sum + n
      if at == slot then last = last + n else kept[#kept + 1] = whole(at) .. ':' .. whole(n) end
    end
  end
  kept[#kept + 1] = whole(slot) .. ':' .. whole(last)
  row = ARGV[8] == '' and 0 or reason == ARGV[7] and row + 1 or 1
  local paid = string.match(head[5], '^%d+,%d+,(%d+)')
  local bound = math.max(FEWEST, math.floor(paid / SHARE))
  if row >= ROW then return pull('row', row, ROW) end
  if sum > bound then return pull('rate', sum, bound) end
  reason, slots = ARGV[7], table.concat(kept, ',')
end
note(ARGV[5])
redis.call('HSET', KEYS[1], 'time', now, 'brake_count', join({reason, row, free, lapses, slots}, SEP))
return {'sent'}
