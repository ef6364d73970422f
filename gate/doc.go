// Package gate is the domain: sales, orders, payments, links and verdicts. It knows
// no HTTP, no Redis command and no field of PortOne's, and imports the standard
// library alone.
// This is also where the design is written down as it is built.
//
// # Words
//
//   - sale: one launch, with a window and limits. Its run, an integer, tells a
//     rehearsal from the real thing under the same name.
//   - SKU: what is counted in a sale.
//   - order: PortOne's merchant_uid or paymentId. attempt: one try to pay it,
//     imp_uid or transactionId. buyer: the shop's own id for a person.
//   - hold: units taken for an order that is being paid.
//   - ledger: the sale's ordered record of every change.
//   - lane: the queue that turns waiting confirms into one script call.
//   - refusal: an answer other than 200, always with a code.
//
// # The house
//
//	main.go          starts the command line, nothing else
//	gate/            the domain
//	gate/lane/       what is decided without Redis, and the queue to what is decided by it; the gate's sales and their lanes
//	gate/store/      all Redis: keys, records, script calls; the embedded store
//	gate/portone/    all PortOne: confirm bodies and answers, webhooks, signatures, the REST client
//	gate/shop/       the shop's own server: its health and its last word, changes that it is told of, webhooks passed on
//	gate/audit/      recounts a sale against itself and against PortOne
//	gate/settle/     what happens after a 200: looking payments up, releasing, refunding
//	gate/web/        the listeners: public (confirm, webhook, health), admin (API, metrics, health)
//	gate/cmdline/    what the command lines of our programs share: a variable for each flag, exit statuses, the log
//	gate/cli/        one file for each command; flags, wiring, the metrics registry
//	gate/redistest/  starts real servers for tests; imports nothing of ours
//	luascripts/      one .lua file for each transition, embedded
//	deploy/          what operators copy, and the tests that run it
//	loadtest/        the rehearsal program, of its own: one file for each command; nothing of it is linked into a gate
//	loadtest/chance/ draws what goes wrong in a rehearsal, from a seed
//	loadtest/portonesim/  a PortOne to try things with; imports nothing of the gate
//	loadtest/schemas/  holds calls of PortOne's APIs and their answers against PortOne's own documents
//	loadtest/standin/  a shop's server that has the last word, to rehearse with; imports nothing of the gate
//	loadtest/launch/ plays PortOne's side of a launch, and judges what came of it
//	loadtest/mutate/ takes each check out in turn, and sees whether a test fails
//	loadtest/bench/  measures the gate beside a bare handler and the usual peer, in bursts and as a sale grows
//
// Imports point one way: cli → all; web → settle, lane, portone, shop, gate; settle,
// audit → portone, gate; store → luascripts, gate; lane, portone, shop, cmdline → gate; loadtest/bench → store, gate; loadtest/launch →
// loadtest/chance, gate; loadtest/portonesim, loadtest/standin → loadtest/chance; gate →
// nothing of ours. A test over go list holds that.
//
// A line should know its room. One that changes stock is Lua. One that spells a
// key is in store/keys.go, one that lays out a record in store/record.go. A
// field name of PortOne's is in portone, an HTTP status in web, a flag in cli.
// What runs long starts in a Run(ctx) that the command calls.
//
// # The way of a confirm
//
// web bounds the request and notes when its first byte came. portone decodes it
// into a Confirm, every kept byte copied out of fasthttp's buffers, and verifies
// V2's signature where there is a secret. The lane's
// catalogue refuses what needs no Redis: a link that the shop did not sign for
// this order (see link.go) or that is too old, items that cannot be read,
// unknown SKUs, a buyer that is missing where a limit needs one, another amount
// than the link's or than the lines cost, and a confirm more than two seconds
// before opening. Of a cart in which some lines have no price, the others tell the
// least that the amount may be. The rest goes into the sale's lane.
//
// A check reports whether a confirm passes; only the store says Held. The zero
// verdict is neither: it is Undecided, and refused, so what forgets to decide
// sells nothing. What opens a gate (Unsigned, portone.Unverified, web.Anybody) is
// a value of its own, and a nil in its place lets nobody in.
//
// A refusal has a code, which is the buyer's, and a cause where its code has
// several (cause.go), which is the operator's: whoever forges a link must not
// learn from the answer how far it got. A wrong signature looks the same for
// another order, a changed value and another key. But where no signature by a kid
// has ever been right, the key is in doubt first: key_unproven; where some were,
// the link: other_order_or_altered. What describes a refusal is put together
// only where somebody reads it.
//
// A lane has one call in flight, on a connection of its own to the primary. It
// takes one waiting confirm, drains what else is waiting (to MaxBatch; those
// past their time are refused first), and sends one script call for all. So
// batches form by themselves under load, and no timer delays a lone buyer.
//
// luascripts/confirm.lua decides the batch in its order, atomically. An order
// with a record goes by the table below. A new one passes, in this order: not
// paused, the window, every SKU known, the buyer's limit, the stock of every
// line. Then its units are taken, and the record, the buyer's units, the
// counters and one ledger entry for the batch are written.
//
// Redis runs one script at a time, so the script bounds a launch. Records are
// laid out in Go and only stamped in Lua; carts are read once for a batch; and the
// gate tells the script what it can see more cheaply itself: whether a batch has
// buyers, and whether an order or a buyer comes twice in it.
//
// A request that cannot be read to its end is answered, and its connection is
// closed after what still comes was dropped for half a second or 256 KiB
// (web/linger.go): closing with bytes unread resets a connection, and the answer
// may be lost. A drain does not wait for it.
//
// What fasthttp compares byte by byte and HTTP without case (Expect, Connection) is
// set right when a request's header has come (web/header.go). A body that is
// announced as too large is refused before its client is told to send it.
//
// # The crowd
//
// Each listener has at most so many connections open (web/crowd.go), counted from the
// limit of open files, of which a quarter is spared for everything else. A
// connection knows whether it is being answered, or since when it waits for a
// request or the rest of one. To make room the one goes that waits the longest, of
// those that never had a whole request first: strangers who send nothing push out
// one another, and not the kept connections of a load balancer. Only what waits can be
// closed, by one compare-and-swap, so no request is decided whose answer nobody would
// read. One more than may be is accepted and held until there is room. An error of
// accept is waited out (web/patient.go); only a closed listener ends.
//
// # An order's life
//
// What a confirm does, by what the order's record says:
//
//	no record                        all checks pass: held; else refused, and nothing is stored
//	any, other lines, buyer, amount  refused: order_changed (an amount that was unknown may become known)
//	held, the same attempt           200, nothing taken twice; the deadline is at least now + 3/4 of the hold
//	held, a new attempt              200, the attempt is added; sold_out while a line's left is below zero
//	held, an attempt that ended      refused: attempt_ended
//	asking                           never 200 by itself: the shop is asked (again), and the deadline stays
//	paid, the attempt that paid      200
//	paid, another attempt            refused: already_paid, for it would charge twice
//	released, a new attempt          as a new order, through all checks
//	released, an old attempt         refused: attempt_ended
//	refund due, refunded             refused: already_paid
//	eight attempts, a ninth          refused: attempt_limit
//
// attempt_limit is there because a record keeps at most eight attempts:
// forgetting one would let an ended attempt pass as new.
//
// A confirm that comes again writes only where it adds an attempt or an amount, or
// moves the deadline by a quarter of the hold: a link that is sent over and over
// would fill the ledger, and Redis. So an order writes at most eight attempts, an
// amount, and four deadlines in each hold. Nothing else that a caller can repeat takes
// memory each time: refusals write nothing, a repeat of a paid order and one that
// comes too soon write the time alone, a webhook moves the order's place in due.
//
// # The shop's last word
//
// PortOne's third use of a confirm process is the shop's own logic just before the
// payment. A sale may name a URL that must answer (healthy), one that is asked about
// each order (ask), or both.
//
// Each gate probes healthy beside the confirms. While the shop is down, confirms go
// to the store with a letter that forbids new holds: only the store knows who has one
// already, and whoever has gets his 200.
//
// A confirm of a sale that asks takes its units as asking, and for AskingFor only.
// Then the gate asks the shop, in the handler, and writes the answer down by a second
// script, in batches as confirms are (queue.go has both): a yes makes the order held,
// and only then there is a 200; a no releases it, if its record is what the shop was
// asked about. Any other answer, or none, leaves it asking: the shop may have noted a
// yes that never arrived. Where no connection could be had, or too many orders are being
// asked about, the shop was not asked, and the order is released. A repeat, at any gate,
// asks again. After AskingFor it is released without a look-up, for nobody was told yes.
// So:
//
//	a yes that comes too late          the grant finds the order released, and is no 200
//	two gates ask, yes and no          the yes holds; the no releases nothing that is held
//	a gate dies between hold and ask, or between ask and grant: asking, then released
//	a gate dies after the grant        held, as after any lost answer
//	the grant's reply is lost          it is sent again; then held, and unavailable to the buyer
//
// The asking hold need not be in any replica, the grant must. The shop has what the
// answer budget leaves beside the grant's two tries: AskTime.
//
// What a look-up at PortOne does (gate/settle/judge.go decides, luascripts/settle.lua moves the units):
//
//	asking    it is not looked up                     released once AskingFor has passed
//	held      an attempt is paid as ordered           paid
//	held      every attempt failed or was cancelled   released, units back once
//	held      deadline and grace (1 min) have passed, all was looked up, nothing is paid or pending: released
//	held      an error, or PortOne waits itself       held, looked at again
//	held      a virtual account waits                 held until its due date or the sale's limit, or released by the sale's setting
//	not held  a virtual account waits                 that account is closed, and the attempt cancelled
//	released  an attempt is paid after all            paid, or refund due where there is no stock, or its buyer would pass the limit
//	paid      another attempt is paid too             that attempt is refund due
//	paid      cancelled in part                       paid, with its balance
//	paid      cancelled in full                       refunded, units to left or withheld
//	paid      disputed, or charged back               paid: it is listed, and the shop decides
//	not paid  charged back                            that attempt is refunded where it was refund due, else cancelled
//	any       cancelled, its money is on the way      that attempt is refund requested, and the order stays what it is
//	any       cancelled, its money did not arrive     that attempt is refund due, and nothing is sent
//	any       paid otherwise than ordered             that attempt is refund due
//	refund due, its cancellation is requested         that attempt is refund requested, and nothing is sent
//	refund requested, and charged with none requested that attempt is refund due again
//	refund due or requested, cancelled                refunded
//
// An order is released for what a look-up says, never for what it leaves out:
// one that has no word on an attempt tells nothing.
//
// Paid counts only in the order's amount, the gate's currency, on a live channel.
// A payment that PortOne has under another order is as if it were not there: a
// confirm of V1 is not signed, so its sender may have named anybody's payment,
// and making it refund due would let him have it refunded.
//
// A payment by a virtual account is cancelled before a bank has sent the money, which
// may fail. So a paid order may have no attempt that is paid: it keeps its units, in
// doubt, until the money is with the buyer, and takes no other attempt.
//
// What is refund due is cancelled by a gate (auto_refund) only for a reason that
// the same look shows: another amount, a test channel, an order that another
// attempt pays, that was refunded or that has no units. Its currency is none: a
// gate that was started with another one makes genuine payments refund due, and a
// gate that is right, beside it or after it, must not cancel them.
//
// So many that something must be wrong are cancelled by nobody: before each cancellation
// luascripts/brake.lua counts it, in the sale's hash, over all gates, and grants it or
// pulls the sale's brake. It counts by ten seconds, so what it keeps is bounded, and notes in
// fg:{S}:owed, in the same call, that this attempt was counted: a gate that dies between the
// grant and the cancellation leaves one that is granted again and not counted. What the
// brake refuses waits as what waits for a person does, in again, with pauses that grow; its
// release has all of that hastened. What cannot be read of it, or asked, refuses. A person
// who releases it lets so many go uncounted as he has seen waiting, for a day: to count
// those would pull it again at once, and to know them one by one would need a list.
//
// # Settling
//
// fg:{S}:due tells when to look at what was held just now. A batch that took holds puts
// itself there (seq:N), due about 20 s later; the first gate that claims it puts its
// orders in its place (o:ORDER). Whatever needs another look waits in a queue for its
// reason (gate.Queue): a repeat in again, what a webhook names in hastened, what a
// look-up of many together leaves open in alone, or in strangers where PortOne knows
// none of its payments, what is to be cancelled in refunds. One script call claims of
// each queue as much as this gate has room for, and each queue has room of its own
// (settle/queues.go): so nothing that comes in plenty keeps anything else waiting.
// Forged holds cost a call each, and are strangers; a bulk look-up finds the real ones
// beside them for a hundredth of one.
//
// Any number of gates take what is due, each by moving its score ahead, which is the
// lease: a gate that dies leaves it to the others. There is no leader and no other
// lock. The lease is two seconds at first, and half a minute once the gate knows what it
// has, renewed for as long as the work lasts: where the reply of a claim is lost nobody
// knows. What was claimed is settled in portions of a hundred at most, each in a
// goroutine that writes what it has found; a refund is a portion of its own. Each call to
// Redis is made again, at first after 0.1 s, through its faults.
//
// What fails by itself is set aside (settle/persist.go): an order or entry that cannot be
// read, one that PortOne's answer is of no use for while others of the portion are
// answered, and one that the script settle fails on, found by halves. It is tried again
// after ten seconds, then after twice as long each time, up to an hour.
//
// A move carries the record that was read before the look-up, and changes nothing
// if the order is no longer what it was: a new attempt, an amount or another gate
// was faster; the order is then due at once. So each move may be sent twice, and a
// new attempt that comes during a look-up is never lost. Confirms of a known
// attempt move the deadline and the revision alone, if anything, which says nothing
// about what PortOne said: the move is made on top of them, so that nobody keeps an
// order from being settled by confirming it over and over. Only a release by time
// rests on the deadline: a 200 has been given. One that moved it is seen by that; one
// that did not was given at least three quarters of the hold before the deadline, and
// the release comes a grace after it. A 200 that goes out in the moment of a proven
// release is for an attempt that PortOne has ended; should it be paid all the same, it
// is a late payment.
//
// Each gate watches Redis' clock by its own. Where it gains more than 10 s from one
// round to the next, or on the gate's own when the gate starts, it was put ahead,
// and each hold lasts as long again from then on: a clock ends no hold. That is for
// a machine's clock, which is the gate's too, and for less than a minute: one that
// gains more by itself is in doubt (see "State in Redis").
//
// The time between two looks is half of the order's age, from 10 s
// to an hour: nothing needs to be remembered for it. A sweep each minute, itself
// a member of due, puts held orders past their deadline back that are missing.
//
// PortOne is asked by portone.Client. Up to twenty orders are asked for one by one;
// more share calls: a hundred attempts in one of V1's, V2's from a list of the
// payments made since the first of them was confirmed, which all who look up at the same
// time share. What that leaves open is asked for alone. Unknown means that PortOne
// itself said so, test payments included; any other answer, a status that nobody knows and an amount that is
// not whole are errors, and of an error nothing follows. Until PortOne has known
// at least one payment, or lists any, unknown is an error too: the credentials may be
// another shop's.
//
// Calls that read are repeated with back-off; Retry-After holds all of an API's
// calls back. A cancellation is sent once: where its answer is lost nobody knows what
// came of it, and a look-up comes before anything else. V1's carries the balance as
// checksum, V2's an idempotency key as well. V2 keeps each answer under its key for
// three hours, so the key has the number of the try, which is in the attempt's
// record: it grows only with a failure that is certain, and a look-up follows that.
// What is asked for and not done is a state of its own (refund requested): it is not
// sent again. Should it fail, the payment is refund due again.
//
// What PortOne would refuse the same way for ever (portone.CancelFinal) is sent once
// more only when what is left of the payment or the sale's settings are another, or when
// a person says so. That, and a bank account for a refund, stand beside the order's
// record (fg:{S}:owed, luascripts/note.lua), not in it: an account is personal, and
// records are in the ledger, in archives and in what the shop is told.
//
// A webhook is believed nothing: it makes a known order due now, but none more often than
// every three seconds, over all gates. What was claimed of hastened waits in again for
// its lease, so that a webhook that comes during a look is another look.
//
// # Reconciling
//
// A paid order is looked at by nobody, and PortOne need not tell of what becomes of its
// payment: a webhook may be lost, and V1 may approve what it told as failed. So from its
// opening until a week after its end (ReconcileFor) a sale is compared with PortOne's lists
// of what has changed (settle/reconcile.go): one call for all orders together, every 40
// seconds. One gate at a time reads for a sale, by a lease (fg:{S}:reconcile), and a gate
// reads one list for all sales that it has.
//
// V2's list is read by STATUS_CHANGED_AT, on from where it was. V1 keeps a partly cancelled
// payment as paid and does not say when it changed it, so its list of all is paged by
// -updated, back to the first page with nothing new (portone/changes.go). A mark says until
// when all was compared, by PortOne's clock; it never goes back, and two minutes before it
// are read again. It moves when what the list says was acted upon, so a gate that dies
// leaves no gap.
//
// The list decides nothing: where settling would make another record of what it says, the
// order is looked up (luascripts/again.lua), as if a webhook had named it. What no record
// says, a cancellation that is only asked for and a payment that cannot be read, has the
// order looked at by somebody.
//
// # Telling the shop
//
// The ledger is the only source. One gate at a time tells the shop of a sale: it
// claims fg:{S}:notify with a token and a lease, and every later write of it needs
// that token. Of each order only the newest state is told, so an order has one place
// among those that wait, however often it changes; one that changes while it is told
// goes behind the others. The ledger says which changes only move a deadline, in the
// entry's head: a gate that takes over has no other way to know, and the revision,
// which names a record's content, goes up for these too. They are told to nobody. The
// position moves only over entries of whose every change this state or a newer one
// was taken, or is listed as undelivered. After eight orders refused in a row the
// shop counts as down: then one order at a time is tried, nothing more is listed, and
// the position waits. A breaker that counts calls would not do: it would try one order
// that is refused for ever, and never see that the others pass.
//
// # Audit
//
// The ledger is the yardstick: an entry that was written stays, so an audit may
// follow it to the entry at which the counters were read, and compare both at the
// same instant. What differs from what the ledger told last is read again between
// two readings of seq, and counts only if the ledger tells of no change between
// them. A held order is in due from its first moment, so due is read first. A
// difference with PortOne counts only if the record is the same before and after
// a second look-up.
//
// # State in Redis
//
// Every key of a sale carries the hash tag {sale}, so that it lives in one slot
// of a Cluster and a script may declare all that it uses.
//
//	fg:{S}         hash     run, settings and their version, seq, term, the latest time seen, order counts,
//	                        the brake on refunds and what it counts;
//	                        for each SKU total, left, held, paid, withheld
//	fg:{S}:orders  hash     order → record
//	fg:{S}:buyers  hash     buyer → units held or paid
//	fg:{S}:ledger  stream   one entry for each script call that changed anything, id SEQ-0
//	fg:{S}:due     zset     when to look at what: seq:N for each batch that took holds or added attempts,
//	                        o:ORDER for each order of those that were claimed, and sweep
//	fg:{S}:again, hastened, alone, strangers, refunds, aside
//	               zset     the other queues: when to look at o:ORDER, or seq:N that is set aside
//	fg:{S}:faults  hash     what is set aside → since when, how often it has failed, and why
//	fg:{S}:notify  hash     how far the shop was told, by which gate, until when, and its trouble;
//	                        o:ORDER → what of the order the shop has not taken
//	fg:{S}:reconcile
//	               hash     how far PortOne's lists of changes were compared with the orders, by which gate, until when
//	fg:{S}:owed    hash     order → what is known of the refunds that it owes: what each waits for, what PortOne
//	                        said, and a bank account of the buyer's if one was given. It goes with the last of them
//	fg:{S}:disputes
//	               hash     order → what there is against its payments: disputes and chargebacks (luascripts/contest.lua)
//	fg:{S}:gates   zset     gate → last heartbeat
//	fg:sales       set      names of the sales that are or should be there; gates read them twice a second
//
// After every script, for each SKU: total = left + held + paid + withheld, and
// the counters equal a recount over the orders. Records and ledger entries are
// laid out in store/record.go, the sale's hash in luascripts/prelude.lua. A
// ledger entry holds full records, never differences, so that any copy of a sale
// is one Fold. seq grows for as long as the name exists, through runs and
// deletions, so that whoever follows a ledger is never sent back.
//
// Settings are one register: read with their version, written back whole, and
// refused where the version has moved on. The ledger entry of a change has the
// settings after and before it, and who made it. A deleted sale leaves a tombstone, and
// is made anew only in a higher run.
//
// What a deletion or a higher run drops is measured by the script that drops it
// (luascripts/loss.lua), before its first write: units held, orders paid or refund
// due, and what the shop has not taken. The caller says what may go, of paid orders
// how many or by which ledger entry they are archived, so that nobody drops what was
// sold since the numbers were read. Untold are the ledger entries from the first one
// behind the position that changes an order, and the orders on the list; entries
// that only change settings tell the shop nothing.
//
// Scripts use Redis' own TIME, never less than the latest time stored in the
// sale, so that time does not run back after a failover. Redis' clock may be wrong,
// so scripts are told the gate's too, and clocks that are a minute apart do not agree
// (ClockTolerance; the rule is clock in luascripts/prelude.lua). TIME past the latest,
// which the gate does not agree with, is in doubt: the script writes nothing, and the
// store returns a *ClockError. TIME behind the latest, which the gate does not agree
// with, is a clock that was put back: the sale's time stands still, and webhooks have
// orders looked at meanwhile. TIME behind the latest, which the gate agrees with, says
// that a clock was ahead: the sale's time goes back, for the ledger's order is that of
// seq. What it left is mended by whoever meets it: looks and leases that are further
// ahead than any may be are due, and orders that were stamped with a time yet to come
// are stamped anew (claim.lua, lease.lua, settle's judge.go, settle.lua).
//
// They read and check everything before their first write, because Redis does not
// undo a script that fails half-way; the first writes are those that a full Redis,
// or a ledger that is ahead of seq, refuses. A full Redis refuses what takes units,
// adds stock or makes a sale. What frees, ends or takes nothing (settling, telling,
// pausing, deleting, 200s that change nothing) begins with a write that needs no
// memory, behind which Redis refuses none (although_full in prelude.lua). What that
// takes is bounded by the orders that there are, and comes from what the machine has
// above maxmemory.
//
// # A sale that is missing
//
// A Redis without a sale, not even a tombstone, was never told of it or has lost
// it; no program can tell. Until the window begins that is the same. Afterwards it
// would sell the units again, so luascripts/create.lua makes a sale that it knows
// no run of only before its window, or on a person's word (OpenNow); whoever asks
// looks at its own clock as well.
//
// A sale is expected, and missing if it is not there, where it stands in the gate's
// file, where the gate has had it, or where its name is in fg:sales. A gate puts
// the name of a missing sale there, so that the others and the commands know too.
// Its lane stays, or is made, and answers without the store: by the window, where
// that is known, else recovering. A lane that finds nothing first connects anew,
// for the sale may be at another server by now. Nothing of it is settled. Deleting
// it leaves a tombstone of run 0, which ends the expectation and proves nothing.
//
// deploy/redis/users.acl is the least that a gate's user must be allowed. Tests
// run as that user, and fail where it was refused anything.
//
// # Time to answer
//
// Every answer comes within AnswerBudget (4 s) of the request's first byte,
// whatever Redis does. A call to Redis has a bound (--redis-timeout, and
// --wait-timeout where it waits for replicas) that covers dialling too, and is
// made at most twice, so a batch is decided or refused within two bounds. What
// is left of the budget, less half a second, a confirm may spend in the queue;
// then it is refused as busy before the next batch is built. No timer runs for
// a request: the bounds of the lane's own call are enough.
//
// A batch that failed is sent once more, on a new connection: it is idempotent
// by order and attempt. After two failed batches a breaker leaves Redis alone
// for half a second and refuses at once.
//
// The client retries nothing by itself. A lane has a client of one connection
// to the sale's primary; MOVED, ASK and READONLY lead its next call elsewhere.
// Whenever it connects it reads the server's run and replication id, and logs
// and counts a change; it refuses a server that is a replica, or that would
// evict sales. A Sentinel, which it asks for the primary, is told from a server by
// what only Sentinels say, for Valkey has other names than Redis for their mode.
//
// Over TLS the host that is dialled is the name that is verified, also where a
// Sentinel or a Cluster names it. Where a server asks for a client certificate, a
// PING follows the handshake: TLS 1.3 refuses only after it, and often without a
// reason that can be read.
//
// # Waiting for replicas
//
// With --wait-replicas N, a 200 goes out only when N replicas have its hold, on
// repeats too. While a sale sells, WAIT follows the script call in the same
// pipeline, so on the same connection; every call that can yield a 200 writes
// something for it to wait for. A call that only refuses has nothing to wait
// for: after one, the next hold is made sure of by a bare write and WAIT behind
// it, on the same connection or not at all. Where fewer than N replicas have it
// in time the answer is not_durable; the hold stays. No hold is then taken until
// a bare write and WAIT succeed, which is tried a few times a second.
//
// What WAIT is worth depends on who may promote a replica. With a Sentinel on each
// of three Redis hosts, and nowhere else, it takes two hosts to promote one, and
// WAIT 1 means that two have the hold: one of those who promote has it, and Sentinel
// takes the replica that has the most. So it survives the loss of any host and any
// cut. With Sentinels on other machines, a cut may leave a primary and a replica
// without them: both have the holds, and another is promoted. WAIT 2 would survive
// that, but sells nothing while any host is away. deploy/partition_linux_test.go
// cuts networks both ways.
//
// A change by a person, by a command or the admin API, goes the same way
// (store/secure.go): on a connection to the sale's primary of its own, WAIT behind
// the script in one pipeline. It is made, whatever WAIT says; where too few
// replicas have it that is told as an UnsecuredError. So that doing it again makes
// sure of it, what is so already is touched by a bare write, if the settings still
// have the version that was read, with WAIT behind it. The gates' own work (looks,
// notifications) is not waited for: it is done again.
//
// # Deploying
//
// deploy/ runs its own files: HAProxy, Redis, Sentinel, Prometheus. deploy/check is
// a module of its own, so that the parsers of Docker, Compose and Kubernetes are no
// dependencies of the program. It builds the program by the Dockerfile's own
// command line from what .dockerignore leaves, runs the image's commands in an
// empty folder, decodes every Kubernetes object strictly, follows each reference,
// and starts gates with the settings of each file: one must end because it cannot
// reach Redis, not because a setting is wrong.
//
// # Watching
//
// deploy/prometheus has the alerts, each with a heading in deploy/RUNBOOK.md. They
// ask what a gate knows without Redis: a sale opens by the clock and by what was
// read last, and a gate that cannot read the sales says so by the age of its last
// reading. Counters are shown as 0 from the start, because one that appears with
// its first event has not risen. Overdue holds are a counter: any gate may sweep,
// so only the sum over gates means something.
//
// What a gate depends on it tries by itself (cli/checks.go), each check in a goroutine
// of its own with a bound, so that one that hangs holds up neither the others nor a
// drain. Each is a method of the package whose business it is, and asks without
// changing anything: PortOne for a token, or a list of one payment; Redis by INFO
// alone, which managed ones have where they have no CONFIG; the shop by connecting and
// TLS' greeting. Its error is what is wrong and what to do, in words that stay the same
// for as long as the reason does, for a new one is logged. A gate.UnknownError is
// neither good nor bad.
//
// # Libraries, and where there is none
//
// go-redis, fasthttp, client_golang and miniredis are the mission's. gobreaker
// is the breaker, kong the flags, goccy/go-yaml the sale file's syntax with the
// line of every value (its time grows with the square of some texts, and worse: what
// a sale file has not is refused before it, JSON has a reader of its own, and YAML in
// the API is short; cli/yamlbounds.go, cli/json.go), standard-webhooks V2's signatures. backoff repeats calls to
// PortOne, x/time/rate paces them, x/sync bounds how many run at once. vegeta is
// the load generator, plot draws its report, progressbar shows how far it is.
// rapid, testscript, goleak and grafana-foundation-sdk (the dashboards' types) test.
//
// PortOne's bodies are read by a scanner of our own (portone/json.go). The
// standard decoder allocates for each field and lets repeated members pass;
// fastjson took 19 s and 25 GB for 16 KiB of opening brackets, and lets through
// numbers and escapes that are none.
package gate
