package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
)

// answerBound is what the gate promises: no answer comes later than this after
// the first byte of its confirm.
const answerBound = 4 * time.Second

// load posts the confirms of one order after another, each third of them twice,
// from several clients to several gates, until it is stopped.
type load struct {
	workers sync.WaitGroup
	stopped atomic.Bool
	mu      sync.Mutex
	answers []answer
}

// startLoad starts the clients. Each posts at most some 200 a second: the tests
// look at what is answered, not at how fast.
func startLoad(t testing.TB, sale string, clients int, gates ...*process) *load {
	var addrs []string
	for _, gate := range gates {
		addrs = append(addrs, gate.listen)
	}
	return startLoadAt(t, sale, clients, addrs...)
}

// startLoadAt starts the clients of gates' addresses, or of what stands before them.
func startLoadAt(t testing.TB, sale string, clients int, addrs ...string) *load {
	l := &load{}
	caller := newCaller(t)
	for client := range clients {
		addr := addrs[client%len(addrs)]
		l.workers.Go(func() {
			pace := time.NewTicker(5 * time.Millisecond)
			defer pace.Stop()
			for i := 0; !l.stopped.Load(); i++ {
				order := fmt.Sprintf("%s-%d-%d", sale, client, i)
				for range 1 + i%3/2 {
					a := caller.confirm(addr, sale, order)
					l.mu.Lock()
					l.answers = append(l.answers, a)
					l.mu.Unlock()
				}
				<-pace.C
			}
		})
	}
	t.Cleanup(func() { l.stop() })
	return l
}

// stop ends the load and returns every answer.
func (l *load) stop() []answer {
	l.stopped.Store(true)
	l.workers.Wait()
	return l.answers
}

// count returns how many answers there are with a code; "" counts all.
func (l *load) count(code string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, a := range l.answers {
		if code == "" || a.code == code {
			n++
		}
	}
	return n
}

// await waits for n more answers with the given code.
func (l *load) await(t testing.TB, n int, code string) {
	t.Helper()
	before := l.count(code)
	await(t, fmt.Sprintf("%d more answers %q", n, code), func() error {
		if got := l.count(code) - before; got < n {
			return fmt.Errorf("there are %d", got)
		}
		return nil
	})
}

// reset reports whether the connection ended before any byte of an answer came.
func (a answer) reset() bool {
	return errors.Is(a.err, io.EOF) || errors.Is(a.err, syscall.ECONNRESET) || errors.Is(a.err, syscall.EPIPE)
}

// tally counts answers by code, or by error.
func tally(answers []answer) map[string]int {
	counts := map[string]int{}
	for _, a := range answers {
		if a.err != nil {
			counts[a.err.Error()]++
		} else {
			counts[a.code]++
		}
	}
	return counts
}

// checkAnswers holds every answer against what a gate promises whatever happens
// to its Redis: it comes in time, and it is a 200 or a refusal for now.
func checkAnswers(t testing.TB, answers []answer, also ...string) {
	t.Helper()
	var slowest time.Duration
	for _, a := range answers {
		slowest = max(slowest, a.took)
		temporary := append([]string{"held", "unavailable", "busy", "not_durable"}, also...)
		if a.err != nil || a.status == http.StatusOK != (a.code == "held") || !slices.Contains(temporary, a.code) {
			t.Errorf("%+v", a)
		}
	}
	if slowest > answerBound {
		t.Errorf("an answer took %v", slowest)
	}
	t.Logf("%d answers, the slowest in %v: %v", len(answers), slowest.Round(time.Millisecond), tally(answers))
}

// checkRecorded holds the answers against what Redis has afterwards: each order
// that was answered 200 has a record, and no unit is lost or sold twice.
func checkRecorded(t testing.TB, redis *redistest.Server, sale string, answers []answer) {
	t.Helper()
	recorded := orders(t, redis, sale)
	for _, a := range answers {
		if a.status == http.StatusOK && !recorded[a.order] {
			t.Errorf("order %s was answered 200 and is not recorded", a.order)
		}
	}
	checkUnits(t, redis.URL(), sale, len(recorded))
}

// checkUnits wants one unit held for each of so many orders.
func checkUnits(t testing.TB, url, sale string, orders int) {
	t.Helper()
	report := readStatus(t, url, sale)
	for _, k := range report.SKUs {
		if k.Sum() != k.Total || k.Left < 0 || k.Held != int64(orders) {
			t.Errorf("with %d orders %s is %+v", orders, k.SKU, k.Units)
		}
	}
	if report.Orders.Held != int64(orders) {
		t.Errorf("%d orders are recorded, %d counted as held", orders, report.Orders.Held)
	}
}

// orders returns the ids of all orders that a Redis has of a sale.
func orders(t testing.TB, redis *redistest.Server, sale string) map[string]bool {
	t.Helper()
	ids, _ := redis.Do(t, "HKEYS", "fg:{"+sale+"}:orders").([]any)
	recorded := make(map[string]bool, len(ids))
	for _, id := range ids {
		recorded[fmt.Sprint(id)] = true
	}
	return recorded
}
