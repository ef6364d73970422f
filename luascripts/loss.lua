-- loss: comes after the prelude and before the scripts that delete a sale: what would be lost with it, and whether that
-- is allowed.
--
-- What may be lost is given as words with commas between:
--   held              units that are held
--   paid=N            N orders that are paid or refund due, and the payments that are to be refunded
--   archived=RUN:SEQ  the same, because an archive has all of this run up to this ledger entry
--   undelivered       changes that the shop has not taken
-- If the number, run or entry is not the sale's, nothing may be lost.

-- Whether the shop gets a message about a ledger entry, given as its fields: only if an order changed by more than its
-- deadline (see append in the prelude).
local function tells(fields)
  local changes = (#fields - 8) / 2
  local extended = string.match(fields[2], '^' .. string.rep('[^\31]*\31', 5) .. '(.*)$')
  for _ in string.gmatch(extended or '', '%d+') do changes = changes - 1 end
  return changes > 0
end

-- What the shop has not taken: how many ledger entries there are from the first such change on, and how many orders
-- are listed as undelivered.
local function undelivered(sale, ledger, notify)
  if (cjson.decode(sale.settings).notify or '') == '' then return 0, 0 end
  local told, listed, fields = 0, 0, redis.call('HGETALL', notify)
  for i = 1, #fields, 2 do
    if fields[i] == 'position' then told = tonumber(fields[i + 1]) end
    if string.sub(fields[i], 1, 2) == 'o:' then listed = listed + 1 end
  end
  while true do
    local page = redis.call('XRANGE', ledger, told + 1, '+', 'COUNT', 10)
    if #page == 0 then return 0, listed end
    for _, entry in ipairs(page) do
      told = tonumber(string.match(entry[1], '^%d+'))
      if tells(entry[2]) then return sale.seq - told + 1, listed end
    end
  end
end

-- What would be lost with a sale, given as all that its hash has.
local function losses(sale, now, ledger, notify)
  local lost = {run = sale.run, seq = sale.seq, held = 0}
  for field, value in pairs(sale) do
    if string.sub(field, 1, 4) == 'sku:' then lost.held = lost.held + string.match(value, '^%d+,%-?%d+,(%d+),') end
  end
  local requested
  lost.paid, lost.due, lost.refunds, requested = string.match(sale.orders, '^%d+,%d+,(%d+),%d+,(%d+),%d+,(%d+),?(%d*)$')
  if requested ~= '' then lost.refunds = lost.refunds + requested end
  lost.open = sale.paused ~= '1' and now >= tonumber(sale.opens) and now < tonumber(sale.closes)
  lost.entries, lost.listed = undelivered(sale, ledger, notify)
  return lost
end

-- Whether all that would be lost may be.
local function agreed(lost, words)
  local said = {}
  for word, value in string.gmatch(words, '(%l+)=?([^,]*)') do said[word] = value end
  local orders, archived = lost.paid + lost.due, lost.run .. ':' .. lost.seq
  if said.paid and tonumber(said.paid) ~= orders then return false end
  if said.archived and said.archived ~= archived then return false end
  if orders + lost.refunds > 0 and not said.paid and not said.archived then return false end
  if lost.held > 0 and not said.held then return false end
  return lost.entries + lost.listed == 0 or said.undelivered ~= nil
end

-- The reply that names what would be lost: the word, run, seq, 1 if the sale is open, units held, orders paid, orders
-- refund due, payments to be refunded, and what the shop has not taken: ledger entries, and undelivered orders.
local function named(word, lost)
  return {word, tonumber(lost.run), tonumber(lost.seq), lost.open and 1 or 0, lost.held, tonumber(lost.paid),
    tonumber(lost.due), tonumber(lost.refunds), lost.entries, lost.listed}
end
