-- confirm: decides a batch of confirms, in their order, and takes the units of those it accepts.
--
-- KEYS  1 sale (hash)  2 orders (hash)  3 buyers (hash)  4 ledger (stream)  5 due (sorted set)
-- ARGV  1 now_ms, empty in production: then Redis' TIME
--       2 who, for the ledger: the gate
--       3 first_look_ms, how long after the batch its orders are looked at
--       4 n, the number of confirms; then four runs of n:
--         order ids
--         records of a first hold, up to the times: "1H␟1␟buyer␟lines␟amount␟␟Oattempt␟"
--         buyers, empty for none
--         lines, "SKU:QUANTITY" sorted by SKU, with commas between
-- reply {verdicts, now_ms, seq}; verdicts has one letter for each confirm:
--         H held now or before    A held before, the shop must be asked again
--         S sold_out   W not_open   C closed   U paused   L buyer_limit   B a buyer is needed
--         K unknown_sku   O order_changed   P already_paid   E attempt_ended   N attempt_limit
--       {"-"} where there is no such sale, {"x"} where only its tombstone is left
--
-- Redis does not undo a script that fails half-way. So every key is read before the first write, and the
-- first write is the one that can be refused: by a full Redis, or by a ledger that is ahead of `seq`.

local RECORD = '^1([AHPRDFW])\31(%d+)\31([^\31]*)\31([^\31]*)\31(%d*)\31(%d*)\31([^\31]*)\31(%d*)\31(%d*)\31'
local MAX_ATTEMPTS = 8

local n = tonumber(ARGV[4])
local id0, record0, buyer0, lines0 = 4, 4 + n, 4 + 2 * n, 4 + 3 * n

-- The carts: each distinct text is read once for the batch.
local fields = {'run', 'seq', 'term', 'time', 'opens', 'closes', 'hold', 'per_buyer', 'paused', 'orders', 'deleted'}
local heads = #fields
local carts, skus, seen, any_buyer = {}, {}, {}, false
for i = 1, n do
  local text = ARGV[lines0 + i]
  if not carts[text] then
    local cart = {units = 0}
    for sku, quantity in string.gmatch(text, '([^:,]+):(%d+)') do
      quantity = tonumber(quantity)
      cart[#cart + 1] = {sku = sku, quantity = quantity}
      cart.units = cart.units + quantity
      if not seen[sku] then
        seen[sku] = true
        skus[#skus + 1] = sku
        fields[#fields + 1] = 'sku:' .. sku
      end
    end
    carts[text] = cart
  end
  any_buyer = any_buyer or ARGV[buyer0 + i] ~= ''
end

-- The sale, its orders and its buyers as they stand.
local head = redis.call('HMGET', KEYS[1], unpack(fields))
if not head[1] then return {'-'} end
if head[11] then return {'x'} end
local opens, closes, hold = tonumber(head[5]), tonumber(head[6]), tonumber(head[7])
local per_buyer, paused = tonumber(head[8]), head[9] == '1'
local seq, now = tonumber(head[2]), clock(ARGV[1], head[4])
local left, held, total, rest = {}, {}, {}, {} -- by SKU; rest is "paid,withheld"
for i, sku in ipairs(skus) do
  local counters = head[heads + i]
  if counters then
    local t, l, h, r = string.match(counters, '^(%d+),(-?%d+),(%d+),(.*)$')
    total[sku], left[sku], held[sku], rest[sku] = t, tonumber(l), tonumber(h), r
  end
end
local records = redis.call('HMGET', KEYS[2], unpack(ARGV, id0 + 1, id0 + n))
local owned = any_buyer and redis.call('HMGET', KEYS[3], unpack(ARGV, buyer0 + 1, buyer0 + n))

-- What the batch changes.
local changed, current = {}, {} -- order, record, order, record, …; and the newest record by order
local buyers, moved = {}, {}    -- units by buyer; SKUs whose counters moved
local took, retook, asking = 0, 0, 0
local stamp = now .. SEP .. (now + hold) .. SEP

local function write(id, record)
  changed[#changed + 1] = id
  changed[#changed + 1] = record
  current[id] = record
end

-- Checks all that a hold needs, then takes its units.
local function take(i)
  if paused then return 'U' end
  if now < opens then return 'W' end
  if now >= closes then return 'C' end
  local cart, buyer, units = carts[ARGV[lines0 + i]], ARGV[buyer0 + i], nil
  for _, line in ipairs(cart) do
    if not left[line.sku] then return 'K' end
  end
  if buyer ~= '' then
    units = (buyers[buyer] or tonumber(owned[i] or 0)) + cart.units
    if per_buyer > 0 and units > per_buyer then return 'L' end
  elseif per_buyer > 0 then
    return 'B'
  end
  for _, line in ipairs(cart) do
    if left[line.sku] < line.quantity then return 'S' end
  end
  for _, line in ipairs(cart) do
    local sku = line.sku
    left[sku], held[sku], moved[sku] = left[sku] - line.quantity, held[sku] + line.quantity, true
  end
  if units then buyers[buyer] = units end
  return 'H'
end

-- Decides a confirm of an order that has a record.
local function again(i, record)
  local state, revision, buyer, lines, amount, balance, attempts, taken, deadline = string.match(record, RECORD)
  local new_state, _, new_buyer, new_lines, new_amount, _, new = string.match(ARGV[record0 + i] .. SEP .. SEP, RECORD)
  if new_amount == '' then new_amount = amount end
  if buyer ~= new_buyer or lines ~= new_lines or amount ~= '' and amount ~= new_amount then return 'O' end
  if state == 'D' or state == 'F' or state == 'W' then return 'P' end

  local known, count = nil, 0
  for attempt in string.gmatch(attempts, '[^\30]+') do
    count = count + 1
    if string.sub(attempt, 2) == string.sub(new, 2) then known = string.sub(attempt, 1, 1) end
  end
  if state == 'P' then return known == 'P' and 'H' or 'P' end
  if known and (state == 'R' or known ~= 'O' and known ~= 'V') then return 'E' end
  if not known then
    if count >= MAX_ATTEMPTS then return 'N' end
    attempts = count == 0 and new or attempts .. ITEM .. new
  end

  if state == 'R' then
    local verdict = take(i)
    if verdict ~= 'H' then return verdict end
    state, taken, deadline, retook = new_state, now, now + hold, retook + 1
    if state == 'A' then asking = asking + 1 end
  else
    for _, line in ipairs(carts[lines]) do
      if not known and left[line.sku] and left[line.sku] < 0 then return 'S' end
    end
    deadline = math.max(tonumber(deadline), now + hold)
  end
  write(ARGV[id0 + i], table.concat({'1' .. state, revision + 1, buyer, lines, new_amount, balance, attempts,
    taken, deadline, ''}, SEP))
  return state == 'A' and 'A' or 'H'
end

local verdicts, accepted = {}, false
for i = 1, n do
  local id, first = ARGV[id0 + i], ARGV[record0 + i]
  local record, verdict = current[id] or records[i], nil
  if record then
    verdict = again(i, record)
  else
    verdict = take(i)
    if verdict == 'H' then
      took = took + 1
      write(id, first .. stamp)
      if string.sub(first, 2, 2) == 'A' then verdict, asking = 'A', asking + 1 end
    end
  end
  accepted = accepted or verdict == 'H' or verdict == 'A'
  verdicts[i] = verdict
end

if #changed > 0 then
  seq = seq + 1
  local a, h, paid, released, tail = string.match(head[10], '^(%d+),(%d+),(%d+),(%d+),(.*)$')
  local orders = table.concat({a + asking, h + took + retook - asking, paid, released - retook, tail}, ',')
  local counters, updates, owners = {}, {'seq', seq, 'time', now, 'orders', orders}, {}
  for _, sku in ipairs(skus) do
    if moved[sku] then
      local value = table.concat({total[sku], left[sku], held[sku], rest[sku]}, ',')
      counters[#counters + 1] = sku .. ':' .. value
      updates[#updates + 1] = 'sku:' .. sku
      updates[#updates + 1] = value
    end
  end
  for buyer, units in pairs(buyers) do
    owners[#owners + 1] = buyer
    owners[#owners + 1] = units
  end
  redis.call('ZCARD', KEYS[5])
  append(KEYS[4], seq, head[3], now, 'confirm', ARGV[2], counters, orders, '', changed)
  redis.call('ZADD', KEYS[5], now + ARGV[3], 'seq:' .. seq)
  redis.call('HSET', KEYS[2], unpack(changed))
  if #owners > 0 then redis.call('HSET', KEYS[3], unpack(owners)) end
  redis.call('HSET', KEYS[1], unpack(updates))
elseif accepted then
  redis.call('HSET', KEYS[1], 'time', now) -- so that WAIT has a write of this call to wait for
end
return {table.concat(verdicts), now, seq}
