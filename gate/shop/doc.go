// Package shop talks to the shop's own server. LastWord probes whether it is up, and asks it
// about orders before they get their 200. Notifier tells it of each change. Forwarder passes
// PortOne's webhooks on to it.
//
// Every message is signed by Standard Webhooks, goes to the given URL alone, and is bounded in
// time and in what is read of the answer.
//
// # The last word
//
// A sale may name a URL that must answer (healthy), a URL that is asked about each order
// (ask), or both. Each gate probes healthy in the background. While the shop is down,
// confirms still go to the store, marked so that it takes no new hold: only the store knows
// who has a hold already, and whoever has one gets his 200.
//
// A confirm of a sale that asks takes its units as asking, for gate.AskingFor only. Then the
// gate asks the shop, in the handler, and writes the answer by a second script, in batches as
// confirms are (queue.go in package lane has both). A yes makes the order held: this is the
// grant. Only then the answer is 200. A no releases the order, if its record is what the shop
// was asked about. Any other answer, or none, leaves it asking: the shop may have noted a yes
// that never arrived. If no connection could be made, or too many orders are being asked about,
// the shop was not asked, and the order is released. A repeat, at any gate, asks again. After
// AskingFor the order is released without a look-up, because nobody was told yes. So:
//
//	a yes that comes too late                   the grant finds the order released: no 200
//	two gates ask, and hear yes and no          the yes holds; the no releases nothing that is held
//	a gate dies before the grant                asking, then released
//	a gate dies after the grant                 held, as after any lost answer
//	the grant's reply is lost                   it is sent again; then held, and the buyer gets unavailable
//
// An order that is asking need not be on a replica. With --wait-replicas, the grant must be. The
// shop may take what the answer budget leaves beside the grant's two tries: lane.AskTime.
//
// # Telling the shop
//
// The ledger is the only source. One gate at a time tells the shop of a sale: it claims
// fg:{S}:notify with a token and a lease, and every later write of it needs that token.
//
// Of each order only the newest state is sent, so an order has one place among those that
// wait, however often it changes. An order that changes while it is sent goes to the end. The
// head of a ledger entry says which changes only move a deadline: these are not sent, although
// the revision, which names a record's content, goes up. The position moves past an entry only
// when, for each of its changes, this state or a newer one was taken or is listed as
// undelivered.
//
// After eight orders refused in a row the shop counts as down: then one order at a time is
// tried, nothing more is listed, and the position waits. A breaker that counts calls would not
// do: it could try one order that is always refused, and never see that the others pass.
package shop
