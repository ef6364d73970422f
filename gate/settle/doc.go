// Package settle makes every held unit end as paid or on sale again. It looks up at
// PortOne how payments ended, and moves their orders on.
//
//   - Settler looks orders up and writes what becomes of them, sends refunds, and closes
//     virtual accounts.
//   - Reconciler compares a sale's orders with PortOne's lists of changes.
//
// What a look-up does to an order is the table in package gate, "An order's life"; the
// function judge decides it, without side effects, and luascripts/settle.lua moves the
// units.
//
// # Queues
//
// The sorted set fg:{S}:due says when to look at what was just held. A batch that took
// holds adds itself (seq:N), due about 20 s later. The first gate that claims it replaces
// it by its orders (o:ORDER). An order that needs another look waits in a queue for its
// reason (gate.Queue):
//
//	fresh      held just now
//	again      looked at before: a repeat, or PortOne is still waiting
//	hastened   a webhook has named it
//	alone      a look-up of many orders together left it open
//	strangers  PortOne knows none of its payments
//	refunds    a payment is to be cancelled
//	aside      it fails by itself
//
// One script call claims from each queue as much as this gate has room for. Each queue has
// room of its own (queues.go), so no queue delays another. Forged holds are strangers: each
// costs a call, while one call of many finds the real orders among them.
//
// The time between two look-ups is half of the order's age, from 10 s to an hour, so no count
// of look-ups has to be kept. Once a minute a sweep, itself a member of due, re-queues
// held orders that are past their deadline and missing from due; this happens only after a
// fault.
//
// # Claims
//
// Any number of gates share the work. A gate claims an order by moving its time in the
// queue ahead. That is the lease: if the gate dies, another one takes the order when the
// lease ends. There is no leader and no other lock. The lease is two seconds at first,
// because the reply of a claim may be lost. Once the gate has the reply it is half a
// minute, renewed while the work lasts.
//
// Claimed orders are settled in portions of at most a hundred, each in a goroutine that
// writes what it has found. A refund is a portion of its own. Calls to Redis that fail are
// repeated, the first after 0.1 s.
//
// An order is set aside (persist.go) when its record cannot be read, when PortOne's answer
// about it is of no use while other orders of its portion are answered, or when
// luascripts/settle.lua fails on it; halving the portion finds which one. It is tried again after ten
// seconds, then after twice as long each time, up to an hour.
//
// # Moves
//
// A move carries the record that was read before the look-up. If the order has changed
// since, the move changes nothing and the order is due at once: a new attempt, an amount or
// another gate was faster. So a move may be sent twice, and a new attempt that comes during
// a look-up is never lost.
//
// A confirm of a known attempt changes at most the deadline and the revision. That does not
// contradict what PortOne said, so the move is made nevertheless: nobody keeps an order from
// being settled by confirming it over and over. Only a release by time depends on the
// deadline. A repeat that moved the deadline is seen by that. A repeat that did not was
// answered at least three quarters of the hold before the deadline, and the release comes a
// grace period after it. If a 200 goes out in the moment of a proven release, it is for an
// attempt that PortOne has ended; should that be paid all the same, it is a late payment.
//
// Each gate watches Redis' clock by its own. If Redis' clock gains more than 10 s from one
// round to the next, or on the gate's clock when the gate starts, it was put ahead. Each hold
// then lasts as long again from that moment, so a clock ends no hold. A clock that gains
// more than a minute is in doubt: see package store, "Time".
//
// # Asking PortOne
//
// Up to twenty orders are asked for one by one. More share calls: a hundred attempts in one
// call of V1's; for V2 a list of the payments made since the first of them was confirmed. One
// list serves all look-ups made at the same time. What it leaves open is asked for alone.
//
// An order is released for what an answer says, never for what it leaves out. Unknown means
// that PortOne itself said so, test payments included. Any other answer, an unknown status
// and an amount that is not whole are errors, and an error changes nothing. Until PortOne
// has known at least one payment, or lists any, unknown is an error too: the credentials may
// be another shop's.
//
// A webhook is not believed. It makes a known order due now, at most every three seconds
// over all gates. An order claimed from the queue hastened is in the queue again during
// its lease, so a webhook that comes meanwhile causes another look.
//
// # Refunds
//
// Gates cancel a payment that is refund due (auto_refund) only for a reason that the same
// look-up shows: another amount, a test channel, an order that another attempt pays, that
// was refunded, or that has no units. Another currency is no such reason: a gate with a
// wrong --currency makes genuine payments refund due, and no gate must cancel them.
//
// Calls that read are repeated with growing pauses; Retry-After delays all calls to that
// API. A cancellation is sent once. If its answer is lost, a look-up comes before anything
// else. V1's carries the balance as checksum, V2's also an idempotency key. V2 keeps each
// answer under its key for three hours, so the key contains the number of the try, which
// the attempt's record keeps. The number grows only after a certain failure, and a look-up
// follows. A cancellation that PortOne has accepted and not carried out makes the attempt
// refund requested: it is not sent again. If it fails, the attempt is refund due again.
//
// What PortOne would always refuse (portone.CancelFinal) is sent again only if the payment's
// balance or the sale's settings have changed, or a person says so. The reason, and a bank
// account for the refund, are kept beside the order's record (fg:{S}:owed,
// luascripts/note.lua), because records go into the ledger, into archives and to the shop,
// and an account is personal.
//
// luascripts/brake.lua counts each cancellation before it is sent, in the sale's hash, over
// all gates, and grants it or pulls the sale's brake. It counts by ten seconds, so its
// memory is bounded. In the same call it notes in fg:{S}:owed that the attempt is counted:
// if the gate dies between the grant and the cancellation, the next grant does not count
// it again. Refused cancellations wait in the queue again with growing pauses; releasing the
// brake hastens them all. If the brake cannot be read or asked, nothing is sent. A person who
// releases the brake has seen how many cancellations wait. For a day that many are not counted:
// counting them would pull the brake again at once.
//
// # Reconciling
//
// A paid order is in no queue, and its payment may change without a word from PortOne: a
// webhook may be lost, and V1 may approve a payment that it first reported as failed. So from its
// opening until a week after its end (ReconcileFor) a sale is compared with PortOne's lists
// of changes, every 40 seconds, one call for all orders together. One gate at a time does so
// for a sale, by a lease (fg:{S}:reconcile), and reads one list for all its sales.
//
// V2's list is read by STATUS_CHANGED_AT, from where it was left. V1 keeps a partly cancelled
// payment as paid and does not say when it changed it. So V1's list of all payments is paged
// by -updated, back to the first page with nothing new (portone/changes.go). A mark says until
// when everything was compared, by PortOne's clock. It never goes back, and the two minutes
// before it are read again. It moves only after the list was acted upon, so a gate that dies
// leaves no gap.
//
// The list decides nothing. If settling would change a record by what the list says, the
// order is looked up (luascripts/again.lua), as if a webhook had named it.
package settle
