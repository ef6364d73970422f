// Package mirror keeps a gate's copy of each sale that is sold, fed by the sale's
// ledger. With it a gate refuses what cannot be met without asking Redis.
//
// # How a copy is made and kept
//
// A Mirror reads the sale, then its orders, a few hundred at a time and with pauses, then
// the ledger from where the sale stood. Each ledger entry has full records, so from the
// first entry behind the last order read the copy is the sale as it was at that entry. It
// is used once its orders add up to the sale's counters.
//
// Then it follows: it asks for the entries behind the newest one it has, and waits for
// one for a fraction of a second. Each answer, an empty one too, proves that the copy was the
// sale at some time after the question was sent. A copy that was not proven for
// FreshFor answers nothing.
//
// After a gap in the ledger, or a count that does not add up, the copy is made anew. When
// another server has the sale, or the server has lost a part of it, the copy is frozen and
// kept, for what it knows may be known nowhere else; another one is made, which answers.
//
// How a loss is found: the server has another identity; or its newest entry has a lower number
// than the copy's, or than one that the gate has seen when it accepted an order or read the
// sale; or, after a lost connection, it has another entry under the number of the copy's newest
// one, for a primary that was a replica for a while keeps its identity; or the orders do not add
// up to the counters any more; or the copy was not told of an order that this gate accepted; or
// the gate, which reads the sale twice a second, reads something else. What is lost and made up
// for between two questions on one connection, to the same number, is found by the last two
// alone, and so up to two seconds late.
//
// A server that is demoted ends a waiting question by an error. One that was demoted between two
// questions is noticed within a quarter of a second.
//
// # Why it is safe
//
// It only ever refuses. A 200 is Redis' alone, so no copy, however wrong, oversells.
//
// A refusal is what Redis would have said at some time within FreshFor before. It is given
// only to a confirm of an order that the copy does not know, on a copy that was the sale
// at the time when it was proven, and for what the script confirm checks, in its order: a
// sale that is paused, not yet open or closed, a line that has too few units left, a shop
// that is down. What the copy cannot tell goes to Redis: a buyer who may be past the
// limit, an unknown SKU, and for two seconds around opening and closing everything, for
// Redis' clock decides.
//
// A known order goes to Redis. The copy knows what other gates have accepted once the
// ledger has told, and what this gate has accepted before it was answered: Learn is told
// before the 200s go out. So what a gate has promised it never refuses by a copy that does
// not know of it.
//
// What remains: units that came back within FreshFor, mostly a few milliseconds, are
// refused to a buyer who asks just then; and an order that another gate has accepted within
// that time is refused here, if its confirm is sent again at once.
package mirror
