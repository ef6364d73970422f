-- confirm: decides a batch of confirms, in their order, and takes the units of those it accepts.
--
-- KEYS  1 sale (hash)  2 orders (hash)  3 buyers (hash)  4 ledger (stream)  5 due (sorted set)
-- ARGV  1 the caller's clock (see clock in the prelude)
--       2 who, for the ledger: the gate
--       3 first_look_ms, how long after the batch its orders are looked at
--       4 asking_ms, how long an order keeps its units that the shop must be asked about
--       5 n, the number of confirms
--       6 what the batch has, as letters: "b" a confirm with a buyer, "r" an order or a buyer that comes
--         more than once, "a" a hold that the shop must be asked about, "m" a record with a mark; then
--         four runs of n:
--         order ids
--         records of a first hold, up to the times: "1H␟1␟buyer␟lines␟amount␟␟O1attempt␟", with A for H
--         where the shop must be asked. A mark may stand before one: "n" this confirm may take no new hold,
--         "k" it counts only if its order has this attempt already
--         buyers, empty for none
--         lines, "SKU:QUANTITY" sorted by SKU, with commas between
-- reply {verdicts, now_ms, seq, hold_ms, {i, record, …}, revision, …}; seq is the newest ledger entry now. The records
--         are those of each H or A whose order had a record before, with its place from 1: the caller knows the others,
--         but for now_ms and hold_ms. verdicts has one letter for each confirm:
--         H held now or before    A its units are kept, and the shop must be asked, for the first time or again:
--         the record's revision is told for each of these, in their order
--         S sold_out   W not_open   C closed   U paused   L buyer_limit   B a buyer is needed
--         K unseen   O order_changed   P already_paid   E attempt_ended   N attempt_limit
--         D nothing else is against it, but it may take no new hold   X its order does not have its attempt
--       {"-"} where there is no such sale, {"x"} where only its tombstone is left
--
-- A confirm that comes again writes only if it adds an attempt or an amount, or if it moves the deadline by a quarter
-- of the hold or more. So the deadline of an order is at least three quarters of the hold ahead whenever it is
-- answered H, and a link that is sent over and over fills no ledger. What moves no deadline is an order that the
-- shop is being asked about: nobody was told yes, so its units are kept for asking_ms and no longer.
--
-- Redis does not undo a script that fails half-way. So every key is read before the first write, and the
-- first write is the one that can be refused: by a full Redis, or by a ledger that is ahead of `seq`.
--
-- Redis runs one script at a time, so what is done for each order of a batch bounds a launch: the loops
-- below go without iterators, closures and conversions of numbers where they can.

local MAX_ATTEMPTS = 8

local n = tonumber(ARGV[5])
local id0, record0, buyer0, lines0 = 6, 6 + n, 6 + 2 * n, 6 + 3 * n
local has_buyers = string.find(ARGV[6], 'b', 1, true)
local has_repeats = string.find(ARGV[6], 'r', 1, true)
local has_asking = string.find(ARGV[6], 'a', 1, true)
local has_marks = string.find(ARGV[6], 'm', 1, true)

-- The carts: each distinct text is read once, into {SKU, quantity, SKU, quantity, …}.
local fields = {'run', 'seq', 'term', 'time', 'opens', 'closes', 'hold', 'per_buyer', 'paused', 'orders', 'deleted'}
local heads, skus, carts, seen, last = #fields, {}, {}, {}, nil
for i = 1, n do
  local text = ARGV[lines0 + i]
  if text ~= last and not carts[text] then
    local cart, units = {}, 0
    for sku, quantity in string.gmatch(text, '([^:,]+):(%d+)') do
      cart[#cart + 1] = sku
      cart[#cart + 1] = tonumber(quantity)
      units = units + quantity
      if not seen[sku] then
        seen[sku] = true
        skus[#skus + 1] = sku
        fields[#fields + 1] = 'sku:' .. sku
      end
    end
    cart.size, cart.units, cart.text = #cart, units, whole(units)
    carts[text] = cart
  end
  last = text
end

-- The sale, its orders and its buyers as they stand.
local head = redis.call('HMGET', KEYS[1], unpack(fields))
if not head[1] then return {'-'} end
if head[11] then return {'x'} end
local seq, opens, closes = tonumber(head[2]), tonumber(head[5]), tonumber(head[6])
local hold, per_buyer = tonumber(head[7]), tonumber(head[8])
local now, doubt = clock(ARGV[1], head[4])
if not now then return doubt end
local left, before = {}, {} -- by SKU
for i = 1, #skus do
  if head[heads + i] then
    left[skus[i]] = tonumber(string.match(head[heads + i], '^%d+,(-?%d+),'))
    before[skus[i]] = left[skus[i]]
  end
end
local records = redis.call('HMGET', KEYS[2], unpack(ARGV, id0 + 1, id0 + n))
local owned = has_buyers and redis.call('HMGET', KEYS[3], unpack(ARGV, buyer0 + 1, buyer0 + n))

local window = head[9] == '1' and 'U' or now < opens and 'W' or now >= closes and 'C'
local stamp = join({now, hold, ''}, SEP)
local asking_stamp = has_asking and join({now, ARGV[4], ''}, SEP)

-- What the batch changes: order, record, order, record, … and buyer, units, buyer, units, …; where one comes
-- twice, the later one counts.
local changed, size = {}, 0
local owners, owning = {}, 0
local newest, units_of = has_repeats and {}, has_repeats and {}
local took, retook, asking, attempted = 0, 0, 0, false
local marks = {} -- by confirm: "n" or "k"
for i = 1, has_marks and n or 0 do
  local mark, rest = string.match(ARGV[record0 + i], '^([nk])(.*)$')
  if mark then marks[i], ARGV[record0 + i] = mark, rest end
end
local extended = {}  -- which changes only move a deadline, counted from 0
local revisions = {} -- of the orders that the shop must be asked about
local known = {}     -- i, record, …: of the accepted orders that had a record before
local looks = {}     -- what is to be looked at when: each of these that took units, then the whole batch

-- Checks all that a hold needs, then takes its units.
local function take(i)
  if window then return window end
  local cart, buyer, units = carts[ARGV[lines0 + i]], ARGV[buyer0 + i], nil
  local short = false
  for k = 1, cart.size, 2 do
    local units_left = left[cart[k]]
    if not units_left then return 'K' end
    if units_left < cart[k + 1] then short = true end
  end
  if buyer ~= '' then
    local has = has_repeats and units_of[buyer] or owned[i]
    units = has and has + cart.units or cart.text
    if per_buyer > 0 and (has and units or cart.units) > per_buyer then return 'L' end
  elseif per_buyer > 0 then
    return 'B'
  end
  if short then return 'S' end
  if marks[i] then return 'D' end
  for k = 1, cart.size, 2 do left[cart[k]] = left[cart[k]] - cart[k + 1] end
  if units then
    owners[owning + 1], owners[owning + 2] = buyer, units
    owning = owning + 2
    if has_repeats then units_of[buyer] = units end
  end
  return 'H'
end

-- Notes that the shop must be asked about an order, and that its units are given up if nothing comes of it.
local function ask(revision, id)
  revisions[#revisions + 1] = tonumber(revision)
  if id then
    asking = asking + 1
    looks[2 * asking - 1], looks[2 * asking] = now + ARGV[4], 'o:' .. id
  end
  return 'A'
end

-- Decides a confirm of an order that has a record. Returns the verdict, the new record if there is one, and whether
-- that only moves the deadline.
local function again(i, record)
  local state, revision, buyer, lines, amount, balance, attempts, taken, deadline = string.match(record, RECORD)
  local new_state, _, new_buyer, new_lines, new_amount, _, new = string.match(ARGV[record0 + i] .. SEP .. SEP, RECORD)
  if new_amount == '' then new_amount = amount end
  if buyer ~= new_buyer or lines ~= new_lines or amount ~= '' and amount ~= new_amount then return 'O' end
  if state == 'D' or state == 'F' or state == 'W' then return 'P' end

  local known, count, named = nil, 0, string.sub(new, 2)
  for attempt_state, name in string.gmatch(attempts, ATTEMPT) do
    count = count + 1
    if name == named then known = attempt_state end
  end
  if state == 'P' then return known == 'P' and 'H' or 'P' end
  if not known and marks[i] == 'k' then return 'X' end
  if known and (state == 'R' or known ~= 'O' and known ~= 'V') then return 'E' end
  if not known then
    if count >= MAX_ATTEMPTS then return 'N' end
    attempts = count == 0 and new or attempts .. ITEM .. new
  end

  local only_later = false
  if state == 'R' then
    local verdict = take(i)
    if verdict ~= 'H' then return verdict end
    state, taken, deadline, retook = new_state, whole(now), new_state == 'A' and ARGV[4] or hold, retook + 1
    if state == 'A' then ask(revision + 1, ARGV[id0 + i]) end
  else
    local cart = carts[lines]
    for k = 1, cart.size, 2 do
      if not known and left[cart[k]] and left[cart[k]] < 0 then return 'S' end
    end
    local later = now - taken + hold
    only_later = known and new_amount == amount
    if state == 'A' then
      if only_later then return ask(revision) end
      ask(revision + 1)
    else
      if only_later and (later - deadline) * 4 < hold then return 'H' end
      deadline, attempted = math.max(tonumber(deadline), later), attempted or not known
    end
  end
  return state == 'A' and 'A' or 'H', table.concat({'1' .. state, whole(revision + 1), buyer, lines, new_amount,
    balance, attempts, taken, whole(tonumber(deadline)), ''}, SEP), only_later
end

local verdicts, accepted = {}, false
for i = 1, n do
  local id = ARGV[id0 + i]
  local record, verdict, only_later = has_repeats and newest[id] or records[i], nil, false
  if record then
    local before = record
    verdict, record, only_later = again(i, record)
    if verdict == 'H' or verdict == 'A' then
      known[#known + 1] = i
      known[#known + 1] = record or before
    end
  elseif marks[i] == 'k' then
    verdict = 'X'
  else
    verdict = take(i)
    if verdict == 'H' then
      took, record = took + 1, ARGV[record0 + i]
      if has_asking and string.sub(record, 2, 2) == 'A' then
        verdict, record = ask(1, id), record .. asking_stamp
      else
        record = record .. stamp
      end
    end
  end
  if record then
    if only_later then extended[#extended + 1] = size / 2 end
    changed[size + 1], changed[size + 2] = id, record
    size = size + 2
    if has_repeats then newest[id] = record end
  end
  if verdict == 'H' then accepted = true end
  verdicts[i] = verdict
end

if size > 0 then
  seq = seq + 1
  local a, h, paid, released, tail = string.match(head[10], '^(%d+),(%d+),(%d+),(%d+),(.*)$')
  local orders = join({a + asking, h + took + retook - asking, paid, released - retook, tail}, ',')
  local counters, updates = {}, {'seq', seq, 'time', now, 'orders', orders}
  for i = 1, #skus do
    local sku = skus[i]
    if left[sku] ~= before[sku] then
      local total, held, rest = string.match(head[heads + i], '^(%d+),%-?%d+,(%d+),(.*)$')
      local value = join({total, left[sku], held + before[sku] - left[sku], rest}, ',')
      counters[#counters + 1] = sku .. ':' .. value
      updates[#updates + 1] = 'sku:' .. sku
      updates[#updates + 1] = value
    end
  end
  if took + retook > asking or attempted then
    looks[#looks + 1], looks[#looks + 2] = now + ARGV[3], 'seq:' .. whole(seq)
  end
  if #looks > 0 then redis.call('ZCARD', KEYS[5]) end
  append(KEYS[4], seq, head[3], now, 'confirm', ARGV[2], counters, orders, '', changed, extended)
  if #looks > 0 then redis.call('ZADD', KEYS[5], unpack(looks)) end
  redis.call('HSET', KEYS[2], unpack(changed))
  if owning > 0 then redis.call('HSET', KEYS[3], unpack(owners)) end
  redis.call('HSET', KEYS[1], unpack(updates))
elseif accepted then
  although_full(KEYS[1])
  redis.call('HSET', KEYS[1], 'time', now) -- so that WAIT has a write of this call to wait for
end
return {table.concat(verdicts), now, seq, hold, known, unpack(revisions)}
