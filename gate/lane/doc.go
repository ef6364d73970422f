// Package lane admits confirms: it refuses what needs no Redis, by the sale's settings and by the
// mirror's copy of it, and gathers the rest of each sale into batches, each of which is one script
// call. A Gate knows the sales and has a lane
// for each. "The way of a confirm" in package gate says what comes before and after.
//
// # Batches
//
// A lane has one call in flight, on a connection of its own to the primary. It takes one
// waiting confirm, then all others that wait (to MaxBatch; those past their time are refused
// first), and sends one script call for all. So batches form by themselves under load, and no
// timer delays a lone buyer.
//
// # Time to answer
//
// Every answer comes within AnswerBudget (4 s) of the request's first byte, whatever Redis does.
// A call to Redis has a bound (--redis-timeout, and --wait-timeout if it waits for replicas)
// that includes dialling, and is made at most twice. So a batch is decided or refused within two
// bounds. In the queue a confirm may spend what is left of the budget, less half a second. Then
// it is refused as busy, before the next batch is built. No timer runs for a request: the bounds
// of the lane's own call are enough.
//
// A batch that failed is sent once more, on a new connection; it is idempotent by order and
// attempt. After two failed batches a breaker leaves Redis alone for half a second, and
// confirms are refused at once.
package lane
