// Package store keeps sales in Redis: keys, records, script calls, and the connections that
// lanes decide on. The embedded store is an in-memory Redis in the same process.
//
// # Keys
//
// Every key of a sale carries the hash tag {sale}. It lives in one slot of a Cluster, and a
// script can declare all keys that it uses.
//
//	fg:{S}           hash    run, settings and their version, seq, term, the latest time seen, order counts,
//	                         the brake on refunds and what it counts;
//	                         for each SKU total, left, held, paid, withheld
//	fg:{S}:orders    hash    order → record
//	fg:{S}:buyers    hash    buyer → units held or paid
//	fg:{S}:ledger    stream  one entry for each script call that changed anything, id SEQ-0
//	fg:{S}:due       zset    when to look at what: seq:N for each batch that took holds or added attempts,
//	                         o:ORDER for each order of those that were claimed, and sweep
//	fg:{S}:again, hastened, alone, strangers, refunds, aside
//	                 zset    the other queues: when to look at o:ORDER, or at seq:N that is set aside
//	fg:{S}:faults    hash    what is set aside → since when, how often it has failed, and why
//	fg:{S}:notify    hash    how far the shop was told, by which gate, until when, and its trouble;
//	                         o:ORDER → what of the order the shop has not taken
//	fg:{S}:reconcile hash    how far PortOne's lists of changes were compared, by which gate, until when
//	fg:{S}:owed      hash    order → the refunds that it owes: what each waits for, what PortOne said, and a bank
//	                         account of the buyer's if one was given. It goes with the last refund
//	fg:{S}:disputes  hash    order → disputes and chargebacks of its payments (luascripts/contest.lua)
//	fg:{S}:gates     zset    gate → last heartbeat
//	fg:sales         set     names of the sales that are or should be there; gates read them twice a second
//
// After every script, total = left + held + paid + withheld for each SKU, and the counters
// equal a recount over the orders. record.go reads counters and ledger entries;
// gate/record.go lays out the record of an order, luascripts/prelude.lua the sale's hash.
// A ledger entry holds full records, never differences, so any copy of a sale is one Fold.
// seq only grows as long as the name exists, through runs and deletions, so a reader who
// follows a ledger never sees it go back.
//
// Settings are one register: read with their version, written back whole, and refused if the
// version has moved on. A change's ledger entry has the settings after and before it, and
// who made it. A deleted sale leaves a tombstone; only a higher run makes it anew.
//
// The script that deletes a sale or starts a higher run measures what would be lost
// (luascripts/loss.lua) before its first write: held units, orders paid or refund due, and
// what the shop has not taken. The caller says what may go, for paid orders how many or by
// which ledger entry they are archived. So nobody drops what was sold after the numbers
// were read.
//
// deploy/redis/users.acl is the least that a gate's user must be allowed. Tests run as that
// user, and fail if it was refused anything.
//
// # Scripts
//
// Scripts read and check everything before their first write, because Redis does not undo a
// script that fails half-way. The first writes are those that Redis refuses when it is full,
// or when the ledger is ahead of seq. A full Redis refuses what takes units, adds stock or
// makes a sale. Scripts that free, end or take nothing (settling, messages to the shop, pausing,
// deleting, 200s that change nothing) begin with a write that needs no memory; after it Redis
// refuses nothing in that script (although_full in luascripts/prelude.lua). What they write is
// bounded by the number of orders, and takes the machine's memory above maxmemory.
//
// # Time
//
// Scripts use Redis' TIME, but never less than the latest time stored in the sale, so that
// time does not run back after a failover. Scripts are also told the gate's time. Two clocks
// that are a minute apart do not agree (gate.ClockTolerance; the rule is clock in
// luascripts/prelude.lua):
//
//	TIME past the latest, and the gate disagrees      in doubt: nothing is written; the store returns *gate.ClockError
//	both behind the latest, and the gate disagrees    the same
//	TIME behind the latest, the gate's time is not    Redis' clock was put back: the sale's time stands still
//	TIME behind the latest, and the gate agrees       a clock was ahead: the sale's time goes back
//
// After a clock was ahead, scripts and look-ups mend its traces when they meet them: look-ups
// and leases that lie further ahead than allowed are due, and orders with a time in the future
// get a new one (claim.lua, lease.lua, settle.lua, and judge.go in package settle).
//
// # A sale that is missing
//
// If Redis has nothing of a sale, not even a tombstone, it was never told of it or has lost
// it; no program can tell which. Until the window begins there is no difference. Afterwards a
// new sale would sell the units again. So luascripts/create.lua makes a sale of unknown run
// only before its window, or on a person's word (OpenNow); whoever asks looks at its own clock
// as well.
//
// A sale is expected if it is in the gate's file, if the gate has had it, or if its name is in
// fg:sales. An expected sale that is not there is missing. A gate puts the name of a missing
// sale into fg:sales, so that other gates and commands know too. The sale's lane answers
// without the store: by the window if that is known, otherwise recovering. A lane that finds
// nothing first connects anew, because the sale may be at another server by now. Nothing of a missing sale is
// settled. Deleting it leaves a tombstone of run 0, which ends the expectation.
//
// # Connections
//
// A lane has a client with one connection to the sale's primary. MOVED, ASK and READONLY lead
// its next call elsewhere; the client repeats nothing by itself. On each connection it reads
// the server's run and replication id, logs and counts a change, and refuses a server that is
// a replica or that would evict sales. A Sentinel is recognized by what only Sentinels
// say, because Valkey uses other names than Redis for their mode.
//
// Over TLS the verified name is the host that is dialled, also if a Sentinel or a Cluster
// named it. If a server asks for a client certificate, a PING follows the handshake: TLS 1.3
// refuses a certificate only afterwards, often without a readable reason.
//
// # Waiting for replicas
//
// With --wait-replicas N, a 200 goes out only when N replicas have its hold, on repeats too.
// While a sale sells, WAIT follows the script call in the same pipeline, so on the same
// connection. Every call that can yield a 200 writes something that WAIT can wait for. After a
// call that only refused, the next hold is secured by a bare write with WAIT behind it. If
// fewer than N replicas have it in time, the answer is not_durable and the hold stays. No new
// hold is taken until a bare write and WAIT succeed, tried a few times a second.
//
// What WAIT is worth depends on who may promote a replica. With one Sentinel on each of three
// Redis hosts and nowhere else, two hosts must agree to promote a replica, and WAIT 1 means that
// two have the hold. One of those who promote has it, and Sentinel takes the replica that has
// the most. So a hold survives the loss of any host and any cut. With Sentinels on other
// machines a cut may leave a primary and a replica, which both have the holds, while a third
// server is promoted. WAIT 2 would survive that, but sells nothing while any host is away.
// deploy/partition_linux_test.go cuts networks both ways.
//
// A change by a person, by a command or the admin API, goes the same way (secure.go): on a
// connection of its own to the sale's primary, with WAIT behind the script in one pipeline. The
// change is made whatever WAIT says; if too few replicas have it, the caller gets an
// UnsecuredError. Doing it again secures it: a bare write touches what is so already, if the
// settings still have the version that was read, and WAIT follows. The gates' own work
// (look-ups, messages) is not waited for: it is simply done again.
package store
