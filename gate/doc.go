// Package gate is the domain: sales, orders, payments, links and verdicts. It knows
// no HTTP, no Redis command and no field of PortOne's, and imports the standard
// library alone.
//
// This comment has what all packages share: the words, which package does what, the way of a
// confirm, and the life of an order. Each package's own comment has its part of the design:
// settle (look-ups, refunds), store (the state in Redis, time, replicas), shop (the last word,
// messages), lane (batches, time to answer), web (requests, connections).
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
//   - mirror: a gate's copy of a sale, fed by the ledger. It refuses, and never says 200.
//   - refusal: an answer other than 200, always with a code.
//
// # The house
//
//	main.go          starts the command line, nothing else
//	gate/            the domain
//	gate/lane/       the gate's sales, each with its lane: refuses what it can without Redis, and queues the rest
//	gate/mirror/     a gate's copy of each sale: loading, following the ledger, refusing by it
//	gate/store/      all Redis: keys, records, script calls; the embedded store
//	gate/portone/    all PortOne: confirm bodies and answers, webhooks, signatures, the REST client
//	gate/shop/       the shop's own server: its health, its last word, notifications, webhooks passed on
//	gate/audit/      recounts a sale against itself and against PortOne
//	gate/settle/     what happens after a 200: looking payments up, releasing, refunding
//	gate/web/        the listeners: public (confirm, webhook, availability, health), admin (API, metrics, health)
//	gate/cmdline/    what the command lines of our programs share: a variable for each flag, exit statuses, the log
//	gate/cli/        one file for each command of the gate; flags, wiring, the metrics registry
//	gate/redistest/  starts real servers for tests; imports nothing of ours
//	gate/pagetest/   compares the tables in docs/ with the code, for tests
//	gate/testkit/    what tests of several packages use: waiting, a clock, secrets of webhooks
//	luascripts/      one .lua file for each transition, embedded
//	deploy/          what operators copy, and the tests that run it
//	loadtest/        the rehearsal program, of its own: one file for each command; nothing of it is linked into a gate
//	loadtest/chance/ draws what goes wrong in a rehearsal, from a seed
//	loadtest/portonesim/  a PortOne to try things with; imports nothing of the gate
//	loadtest/simtest/  starts a simulated PortOne for tests of several packages
//	loadtest/schemas/  holds calls of PortOne's APIs and their answers against PortOne's own documents
//	loadtest/standin/  a shop's server that has the last word, to rehearse with; imports nothing of the gate
//	loadtest/launch/ plays PortOne's side of a launch, and judges what came of it
//	loadtest/mutate/ takes each check out in turn, and sees whether a test fails
//	loadtest/bench/  measures the gate beside a bare handler and the usual peer, in bursts and as a sale grows
//
// Imports point one way: loadtest → cli and what it rehearses with; cli → all of the gate; web →
// settle, lane, portone, shop, gate; lane → mirror, gate; settle, audit → portone, gate; store →
// luascripts, gate; mirror, portone, shop, cmdline → gate; loadtest/bench → store, gate;
// loadtest/launch → loadtest/chance, gate; loadtest/portonesim, loadtest/standin →
// loadtest/chance; loadtest/simtest → loadtest/portonesim; gate → nothing of ours. A test over go
// list holds that.
//
// Each kind of line has one place. One that changes stock is Lua. One that spells a
// key is in store/keys.go, one that lays out an order's record in record.go. A
// field name of PortOne's is in portone, an HTTP status in web, a flag in cli.
// What runs long starts in a Run(ctx) that the command calls.
//
// # The way of a confirm
//
//  1. web bounds the request and notes when its first byte came.
//  2. portone decodes it into a Confirm, copied out of fasthttp's buffers, and verifies V2's
//     signature if there is a secret.
//  3. lane refuses what needs no Redis: a link that the shop did not sign for this order
//     (link.go) or that has expired, items that cannot be read, unknown SKUs, a missing buyer if
//     the sale limits buyers, a wrong amount, a confirm more than two seconds before opening.
//     Then the mirror refuses a new order that cannot be met, if its copy of the sale is fresh.
//  4. The sale's lane gathers what waits into a batch, and sends one script call for it.
//  5. luascripts/confirm.lua decides the batch in its order, atomically. An order that has a
//     record goes by the table below. A new order must pass, in this order: not paused, within the
//     window, every SKU known, within the buyer's limit, enough stock for every line. Then the
//     script takes its units, and writes its record, the buyer's units, the counters, and one
//     ledger entry for the batch.
//  6. If the sale asks the shop, the gate asks now, and a second script writes the answer.
//  7. web answers: 200 for Held, otherwise the code's status.
//
// Redis runs one script at a time, so the script bounds a launch. That is why records are laid
// out in Go and only stamped in Lua, carts are read once for a batch, and the gate tells the
// script what the gate sees more cheaply: whether the batch has buyers, and whether an order or
// a buyer comes twice in it.
//
// A check reports whether a confirm passes; only the store says Held. The zero verdict is
// Undecided, a refusal, so code that forgets to decide sells nothing. What opens a gate
// (Unsigned, portone.Unverified, web.Anybody) is a value of its own, and nil in its place lets
// nobody in.
//
// A refusal has a code, which the buyer sees. If the code has several causes, the refusal has a
// cause too (cause.go), which only the operator sees: whoever forges a link must not learn from
// the answer how far it got. A wrong signature looks the same for another order, a changed value
// and another key. But if no signature with this key id has ever been right, the key is the
// likelier fault (key_unproven); otherwise the link is (other_order_or_altered).
//
// # An order's life
//
// What a confirm does, by what the order's record says:
//
//	no record                        all checks pass: held; else refused, and nothing is stored
//	any, other lines, buyer, amount  refused: order_changed (an amount that was unknown may become known)
//	held, the same attempt           200, nothing taken twice; the deadline is at least now + 3/4 of the hold.
//	                                 Checks of the sale's settings and of the link's end only doubt it (Request.Doubt)
//	held, a new attempt              200, the attempt is added; sold_out while a line's left is below zero
//	held, an attempt that ended      refused: attempt_ended
//	asking                           never 200 by itself: the shop is asked (again), and the deadline stays
//	paid, the attempt that paid      200
//	paid, another attempt            refused: already_paid, because it would charge twice
//	released, a new attempt          as a new order, through all checks
//	released, an old attempt         refused: attempt_ended
//	refund due, refunded             refused: already_paid
//	eight attempts, a ninth          refused: attempt_limit
//
// A record keeps at most eight attempts, and forgets none: a forgotten attempt that had ended
// would pass as new.
//
// What a caller can repeat must not fill Redis. So a repeat writes only if it adds an attempt or an
// amount, or moves the deadline by a quarter of the hold: at most eight attempts, one amount, and four
// deadlines in each hold. Refusals write nothing. A repeat of a paid order, or one that comes too
// soon, writes the time alone. A webhook moves the order's place in a queue.
//
// What a look-up at PortOne does (package settle decides, luascripts/settle.lua moves the units):
//
//	asking    it is not looked up                     released once AskingFor has passed
//	held      an attempt is paid as ordered           paid
//	held      every attempt failed or was cancelled   released, units back once
//	held      deadline and grace (1 min) have passed, all was looked up, nothing is paid or pending: released
//	held      an error, or PortOne waits itself       held, looked at again
//	held      a virtual account waits                 held until its due date, or released if the sale says so
//	not held  a virtual account waits                 that account is closed, and the attempt cancelled
//	released  an attempt is paid after all            paid; refund due where stock or the buyer's limit forbids it
//	paid      another attempt is paid too             that attempt is refund due
//	paid      cancelled in part                       paid, with its balance
//	paid      cancelled in full                       refunded, units to left or withheld
//	paid      disputed, or charged back               paid: it is listed, and the shop decides
//	not paid  charged back                            that attempt is refunded if it was refund due, else cancelled
//	any       cancelled, its money is on the way      that attempt is refund requested, and the order stays what it is
//	any       cancelled, its money did not arrive     that attempt is refund due, and nothing is sent
//	any       paid otherwise than ordered             that attempt is refund due
//	refund due, its cancellation is requested         that attempt is refund requested, and nothing is sent
//	refund requested, charged, and none requested     that attempt is refund due again
//	refund due or requested, cancelled                refunded
//
// Paid counts only in the order's amount, the gate's currency, on a live channel. A payment that
// PortOne has under another order counts for nothing: V1 does not sign its confirms, so the
// sender may have named anybody's payment, and calling it refund due would have it refunded.
//
// A payment by a virtual account is cancelled before a bank has sent the money, and that may
// fail. So a paid order may have no paid attempt: it keeps its units until the money is
// with the buyer, and takes no other attempt.
package gate
