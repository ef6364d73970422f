-- settle: moves orders from what a look-up was based on to what it found.
--
-- The caller gives each order with the record that it read before the look-up. If the record has changed since, a new
-- attempt, an amount or another gate was faster, and the order stays as it is. So the script may be sent twice. A
-- repeated confirm moves only the deadline, and changes nothing about what PortOne said: so somebody who confirms over
-- and over cannot keep an order from being settled.
--
-- It works on a full Redis too, so that units come back and payments become known: an order moves a few times in its
-- life, and takes some hundred bytes each time.
--
-- KEYS  1 sale  2 orders  3 buyers  4 ledger  5 due  6 again  7 alone  8 strangers  9 refunds  10 aside  11 faults
--       12 owed: the note of an order that no longer owes a refund is removed
-- ARGV  1 the caller's clock (see clock in the prelude)   2 who   3 kind, for the ledger: "settle" or "report"
--       4 n, the number of orders, each once; then for each order five:
--         order id
--         the record as it was read
--         the record to write, empty to change none. The script numbers it and adds its settled time, which stays
--         unless the state changes or the time is in the future. A record without a deadline keeps the one that is
--         there; one with a deadline is written only if the deadline has not moved
--         the record to write instead if the first would take units and there are too few, or its buyer would have
--         more than allowed; empty to write none then
--         ms from now until the order is looked up again, empty for never. Until then it waits in again, or in refunds
--         if an R follows. With A or S it is also put into alone or strangers, due now. D says that the order was
--         claimed from refunds: only then an order that is refund due leaves that queue, so that no two gates cancel
--         at once
--       then members that are done, because the sale has no such order
-- reply {outcomes, now_ms, seq}; outcomes has one letter for each order:
--         D the record was written   O the other record was written   N there were too few units: nothing was written
--         = nothing was to be written   - it has changed since it was read, or is gone
--       {"-"} if there is no such sale, or only its tombstone

-- Which counter has a state's units, and which order count has its orders.
local UNITS = {A = 'held', H = 'held', P = 'paid', W = 'withheld', R = 'left', D = 'left', F = 'left'}
local COUNT = {A = 1, H = 2, P = 3, R = 4, D = 5, F = 6, W = 6}
-- Which order count has the attempts that are refund due, and those whose refund is requested.
local REFUNDS = {D = 7, Q = 8}
local OWNED = {A = true, H = true, P = true}

local head = redis.call('HMGET', KEYS[1], 'run', 'seq', 'term', 'time', 'orders', 'deleted', 'per_buyer')
if not head[1] or head[6] then return {'-'} end
local now, doubt = clock(ARGV[1], head[4])
if not now then return doubt end
local seq, per_buyer, n = tonumber(head[2]), tonumber(head[7]), tonumber(ARGV[4])

local counts = {}
for count in string.gmatch(head[5], '%d+') do counts[#counts + 1] = tonumber(count) end
counts[8] = counts[8] or 0

-- The counters of a SKU as the batch leaves them; false if the sale has no such SKU.
local units, moved = {}, {}
local function units_of(sku)
  if units[sku] == nil then
    local text = redis.call('HGET', KEYS[1], 'sku:' .. sku)
    local total, left, held, paid, withheld = string.match(text or '', '^(%d+),(-?%d+),(%d+),(%d+),(%d+)$')
    units[sku] = total and {total = total, left = tonumber(left), held = tonumber(held), paid = tonumber(paid),
      withheld = tonumber(withheld)} or false
  end
  return units[sku]
end

local bought = {}
local function units_of_buyer(buyer)
  bought[buyer] = bought[buyer] or tonumber(redis.call('HGET', KEYS[3], buyer) or 0)
  return bought[buyer]
end

-- Adds n to the count for each attempt whose money is to be given back, and returns whether there are any.
local function count_refunds(attempts, n)
  local owes = false
  for attempt in string.gmatch(attempts, '[^\30]+') do
    local count = REFUNDS[string.sub(attempt, 1, 1)]
    if count then counts[count], owes = counts[count] + n, true end
  end
  return owes
end

local forgotten = {} -- orders that no longer owe a refund

-- Moves an order's units and counts from one record to another. Returns false and moves nothing if the stock has too
-- few units, or the buyer would have more than allowed.
local function move(id, old, new)
  local from, _, buyer, lines, _, _, attempts = string.match(old, RECORD)
  local to, _, _, _, _, _, new_attempts = string.match(new, RECORD)
  local source, target = UNITS[from], UNITS[to]
  local cart, quantities = {}, 0
  for sku, quantity in string.gmatch(lines, '([^:,]+):(%d+)') do
    local stock = units_of(sku)
    quantity = tonumber(quantity)
    if source == 'left' and target ~= 'left' and (not stock or stock.left < quantity) then return false end
    cart[#cart + 1], quantities = {sku, quantity, stock}, quantities + quantity
  end
  local gains = buyer ~= '' and OWNED[to] and not OWNED[from]
  if gains and per_buyer > 0 and units_of_buyer(buyer) + quantities > per_buyer then return false end
  if source ~= target then
    for _, line in ipairs(cart) do
      local sku, quantity, stock = line[1], line[2], line[3]
      if stock then
        stock[source], stock[target] = stock[source] - quantity, stock[target] + quantity
        moved[sku] = true
      end
    end
  end
  if buyer ~= '' and OWNED[from] ~= OWNED[to] then
    bought[buyer] = units_of_buyer(buyer) + (OWNED[to] and quantities or -quantities)
  end
  counts[COUNT[from]] = counts[COUNT[from]] - 1
  counts[COUNT[to]] = counts[COUNT[to]] + 1
  local owed = count_refunds(attempts, -1)
  if not count_refunds(new_attempts, 1) and owed then forgotten[#forgotten + 1] = id end
  return true
end

-- Whether what was found about an order still counts: since it was read, at most its deadline has moved, and what is to
-- be written does not depend on the deadline.
local function holds(record, old, new)
  local state, _, rest, deadline = string.match(record, PARTS)
  local old_state, _, old_rest, old_deadline = string.match(old, PARTS)
  local _, _, _, own = string.match(new, PARTS)
  return state == old_state and rest == old_rest and (deadline == old_deadline or (own or '') == '')
end

-- The record to write, completed from the order's present record.
local function stamped(record, new)
  local from, revision, _, deadline, settled = string.match(record, PARTS)
  local to, _, rest, own = string.match(new, PARTS)
  if to ~= from or (tonumber(settled) or 0) > now then settled = whole(now) end
  return to .. SEP .. whole(revision + 1) .. rest .. (own ~= '' and own or deadline) .. SEP .. settled
end

local outcomes, changed, extended = {}, {}, {}

-- What is put into each queue, and what is taken out of it, by the number of its key. A settled order waits only in the
-- queue that it is put into, and in refunds while its refund may be under way.
local DUE, AGAIN, ALONE, STRANGERS, REFUNDS_DUE, ASIDE, FAULTS, OWED = 5, 6, 7, 8, 9, 10, 11, 12
local BESIDE = {A = ALONE, S = STRANGERS}
local put, gone, settled = {}, {}, {}
for k = DUE, ASIDE do put[k], gone[k] = {}, {} end

local function wait(member, queue, at, beside, stays)
  settled[#settled + 1] = member
  for k = DUE, ASIDE do
    if k == queue then
      put[k][#put[k] + 1], put[k][#put[k] + 2] = at, member
    elseif k == beside then
      put[k][#put[k] + 1], put[k][#put[k] + 2] = now, member
    elseif k ~= stays then
      gone[k][#gone[k] + 1] = member
    end
  end
end

-- Keeps the new record of an order, and whether only its deadline is new.
local function change(id, old, new)
  local state, _, rest = string.match(old, PARTS)
  local new_state, _, new_rest = string.match(new, PARTS)
  if state == new_state and rest == new_rest then extended[#extended + 1] = #changed / 2 end
  changed[#changed + 1], changed[#changed + 2] = id, new
end

for i = 1, n do
  local at = 5 * i
  local id, old, new, other, look = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local record, outcome = respelled(redis.call('HGET', KEYS[2], id)), '='
  if not record or not holds(record, old, new) then
    outcome, look = '-', record and '0' or ''
  elseif new ~= '' then
    new, other = stamped(record, new), other ~= '' and stamped(record, other)
    if move(id, record, new) then
      outcome = 'D'
      change(id, record, new)
    elseif other and move(id, record, other) then
      outcome = 'O'
      change(id, record, other)
    else
      outcome = 'N'
    end
  end
  local ms, where = string.match(look, '^(%d+)(%u?)$')
  local stays = where ~= 'D' and owes_refund(changed[#changed - 1] == id and changed[#changed] or record) and REFUNDS_DUE
  wait('o:' .. id, ms and (where == 'R' and REFUNDS_DUE or AGAIN), ms and now + ms, BESIDE[where], stays)
  outcomes[i] = outcome
end
for i = 5 * n + 5, #ARGV do wait(ARGV[i]) end

local aside
for k = DUE, ASIDE do aside = redis.call('ZCARD', KEYS[k]) end
although_full(KEYS[1])
if #changed > 0 then
  seq = seq + 1
  if counts[8] == 0 then counts[8] = nil end -- seven numbers, as the version before has them
  local orders = join(counts, ',')
  local counters, updates = {}, {'seq', seq, 'time', now, 'orders', orders}
  for sku in pairs(moved) do
    local u = units[sku]
    local value = join({u.total, u.left, u.held, u.paid, u.withheld}, ',')
    counters[#counters + 1] = sku .. ':' .. value
    updates[#updates + 1], updates[#updates + 2] = 'sku:' .. sku, value
  end
  table.sort(counters)
  append(KEYS[4], seq, head[3], now, ARGV[3], ARGV[2], counters, orders, '', changed, extended)
  redis.call('HSET', KEYS[2], unpack(changed))
  for buyer, count in pairs(bought) do
    if count > 0 then redis.call('HSET', KEYS[3], buyer, count) else redis.call('HDEL', KEYS[3], buyer) end
  end
  redis.call('HSET', KEYS[1], unpack(updates))
end
if #forgotten > 0 then redis.call('HDEL', KEYS[OWED], unpack(forgotten)) end
for k = DUE, ASIDE do
  if #gone[k] > 0 then redis.call('ZREM', KEYS[k], unpack(gone[k])) end
  if #put[k] > 0 and (k == DUE or k == AGAIN or k == ASIDE) then
    redis.call('ZADD', KEYS[k], unpack(put[k]))
  elseif #put[k] > 0 then -- the order keeps its place in the queue, and the gate that works on it keeps its lease
    redis.call('ZADD', KEYS[k], 'NX', unpack(put[k]))
  end
end
if aside > 0 and #settled > 0 then redis.call('HDEL', KEYS[FAULTS], unpack(settled)) end
return {table.concat(outcomes), now, seq}
