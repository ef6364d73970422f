-- grant: makes of a batch of asking orders what the shop said: held after a yes, released after a no.
--
-- KEYS  1 sale  2 orders  3 buyers  4 ledger  5 due
-- ARGV  1 the caller's clock (see clock in the prelude)   2 who, for the ledger: the gate
--       3 first_look_ms, how long after the batch its orders are looked at
--       4 n, the number of answers; then for each two:
--         order id
--         "Y" and the attempt that the shop said yes to, as records have it: its version, then its id;
--         or "N" and the revision of the record that the shop said no to, or was not asked about
-- reply {verdicts, now_ms, seq, {i, record, …}}; seq is the newest ledger entry now. The records are those of each H,
--         with its place from 1. verdicts has one letter for each answer:
--         H held now or before, by an attempt that is open or paid   P already_paid   E attempt_ended
--         G the order is not asking any more, and has no units: nothing was written
--         R released   = the order is not what it was by now: nothing was written
--       {"-"} where there is no such sale, {"x"} where only its tombstone is left
--
-- An order that is asking has its units, and what is written here is short. So it works on a full Redis too.

local head = redis.call('HMGET', KEYS[1], 'run', 'seq', 'term', 'time', 'hold', 'orders', 'deleted')
if not head[1] then return {'-'} end
if head[7] then return {'x'} end
local now, doubt = clock(ARGV[1], head[4])
if not now then return doubt end
local seq, hold, n = tonumber(head[2]), tonumber(head[5]), tonumber(ARGV[4])

local ids = {}
for i = 1, n do ids[i] = ARGV[3 + 2 * i] end
local found = redis.call('HMGET', KEYS[2], unpack(ids))
local records = {}
for i = 1, n do records[ids[i]] = found[i] end

-- What is given back, read when it is first needed: by SKU, and by buyer.
local skus, fields, given, bought = {}, {}, {}, {}
local function give(sku, quantity)
  if not given[sku] then
    given[sku] = 0
    skus[#skus + 1], fields[#fields + 1] = sku, 'sku:' .. sku
  end
  given[sku] = given[sku] + quantity
end

local changed, order_at, granted, released, looks = {}, {}, 0, 0, {}

-- Notes the new record of an order. One that is answered twice has the newest.
local function change(id, record)
  records[id] = record
  if not order_at[id] then
    order_at[id] = #changed + 1
    changed[#changed + 1] = id
    looks[#looks + 1], looks[#looks + 2] = now + ARGV[3], 'o:' .. id
  end
  changed[order_at[id] + 1] = record
end

-- The state of an attempt, nil where the order has no such one.
local function state_of(attempts, wanted)
  for state, name in string.gmatch(attempts, ATTEMPT) do
    if name == wanted then return state end
  end
end

local function yes(id, attempt)
  if not records[id] then return 'G' end
  local state, revision, buyer, lines, amount, balance, attempts, taken = string.match(records[id], RECORD)
  local known = state_of(attempts, attempt)
  if state == 'P' then return known == 'P' and 'H' or 'P' end
  if state == 'D' or state == 'F' or state == 'W' then return 'P' end
  if state == 'R' or not known then return 'G' end
  if known ~= 'O' and known ~= 'V' then return 'E' end
  if state == 'A' then
    granted = granted + 1
    local deadline = math.max(0, now - taken) + hold
    change(id, join({'1H', revision + 1, buyer, lines, amount, balance, attempts, taken, deadline, ''}, SEP))
  end
  return 'H'
end

local function no(id, told)
  if not records[id] then return '=' end
  local state, revision, buyer, lines, amount, balance, attempts, taken, deadline = string.match(records[id], RECORD)
  if state ~= 'A' or revision ~= told then return '=' end
  for sku, quantity in string.gmatch(lines, '([^:,]+):(%d+)') do
    give(sku, quantity)
    if buyer ~= '' then bought[buyer] = (bought[buyer] or redis.call('HGET', KEYS[3], buyer) or 0) - quantity end
  end
  released = released + 1
  change(id, join({'1R', revision + 1, buyer, lines, amount, balance, attempts, taken, deadline, now}, SEP))
  return 'R'
end

local verdicts, held = {}, {}
for i = 1, n do
  local answer = ARGV[4 + 2 * i]
  local word, rest = string.sub(answer, 1, 1), string.sub(answer, 2)
  verdicts[i] = word == 'Y' and yes(ids[i], rest) or word == 'N' and no(ids[i], rest) or '='
  if verdicts[i] == 'H' then
    held[#held + 1] = i
    held[#held + 1] = records[ids[i]]
  end
end

local stock = #skus > 0 and redis.call('HMGET', KEYS[1], unpack(fields))
redis.call('ZCARD', KEYS[5])
if #changed > 0 then
  although_full(KEYS[1])
  seq = seq + 1
  local a, h, paid, r, tail = string.match(head[6], '^(%d+),(%d+),(%d+),(%d+),(.*)$')
  local orders = join({a - granted - released, h + granted, paid, r + released, tail}, ',')
  local counters, updates = {}, {'seq', seq, 'time', now, 'orders', orders}
  for i = 1, #skus do
    local total, left, held, rest = string.match(stock[i], '^(%d+),(-?%d+),(%d+),(.*)$')
    local value = join({total, left + given[skus[i]], held - given[skus[i]], rest}, ',')
    counters[#counters + 1] = skus[i] .. ':' .. value
    updates[#updates + 1], updates[#updates + 2] = fields[i], value
  end
  table.sort(counters)
  append(KEYS[4], seq, head[3], now, 'grant', ARGV[2], counters, orders, '', changed)
  redis.call('HSET', KEYS[2], unpack(changed))
  for buyer, count in pairs(bought) do
    if count > 0 then redis.call('HSET', KEYS[3], buyer, count) else redis.call('HDEL', KEYS[3], buyer) end
  end
  redis.call('HSET', KEYS[1], unpack(updates))
  redis.call('ZADD', KEYS[5], unpack(looks))
elseif #held > 0 then
  although_full(KEYS[1])
  redis.call('HSET', KEYS[1], 'time', now) -- so that WAIT has a write of this call to wait for
end
return {table.concat(verdicts), now, seq, held}
