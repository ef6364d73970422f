package cli

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
)

// Ten thousand confirms at once, four of each order and these at different
// gates, for five hundred units. It has the machine to itself, as far as that
// goes: with the race detector on two cores a confirm may still run out of its
// time, and is then asked again, as a buyer would. How many there were is told,
// and not held against anything: it says more of the machine than of the gate.
func TestBurstSellsExactlyTheStock(t *testing.T) {
	const stock, calls, distinct = 500, 10_000, 2_500
	redis := redistest.Start(t)
	gates := []*process{serveSale(t, redis.URL(), openSale("race", stock))}
	for range 2 {
		gates = append(gates, startGate(t, "--redis", redis.URL(), "--allow-unsigned"))
	}
	answers := burst(t, calls, func(i int) (gate *process, order string) {
		return gates[i%len(gates)], fmt.Sprintf("order-%d", i%distinct)
	})

	caller, again := newCaller(t), 0
	for i := range answers {
		for deadline := time.Now().Add(patience); answers[i].forNow() && time.Now().Before(deadline); again++ {
			answers[i] = caller.confirm(gates[i%len(gates)].listen, "race", answers[i].order)
		}
	}
	recorded := orders(t, redis, "race")
	if len(recorded) != stock {
		t.Errorf("%d orders are recorded, want %d", len(recorded), stock)
	}
	for _, a := range answers {
		want, code := http.StatusConflict, "sold_out"
		if recorded[a.order] {
			want, code = http.StatusOK, "held"
		}
		if a.status != want || a.code != code {
			t.Errorf("order %s, recorded: %v, was answered %d %s (%v)", a.order, recorded[a.order], a.status,
				a.code, a.err)
		}
	}
	report := readStatus(t, redis.URL(), "race")
	if report.SKUs[0].Left != 0 || report.SKUs[0].Held != stock || report.Orders.Held != stock {
		t.Errorf("the sale is %+v", report)
	}
	t.Logf("%v, %d of them asked again", tally(answers), again)
}

// forNow reports whether an answer says nothing of the stock: there was no time
// for one, or the machine was so busy that the connection was closed.
func (a answer) forNow() bool { return a.err != nil || a.status == http.StatusServiceUnavailable }

// burst posts n confirms at the same time, each on a connection of its own. It
// does so without a goroutine for each, of which the race detector allows 8,128,
// and reads one answer after the other: it may see them later than they came.
func burst(t testing.TB, n int, call func(int) (*process, string)) []answer {
	t.Helper()
	conns, answers := make([]net.Conn, n), make([]answer, n)
	t.Cleanup(func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	})
	each := func(do func(i int) error) {
		const clients = 16
		var workers sync.WaitGroup
		for client := range clients {
			workers.Go(func() {
				for i := client; i < n; i += clients {
					if answers[i].err == nil {
						answers[i].err = do(i)
					}
				}
			})
		}
		workers.Wait()
	}
	each(func(i int) (err error) {
		gate, order := call(i)
		answers[i].order = order
		conns[i], err = net.Dial("tcp", gate.listen)
		return err
	})
	each(func(i int) error {
		answers[i].sent = time.Now()
		_, err := io.WriteString(conns[i], rawConfirm("race", answers[i].order))
		return err
	})
	each(func(i int) error {
		a := &answers[i]
		if err := conns[i].SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		response, err := http.ReadResponse(bufio.NewReader(conns[i]), nil)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		a.took, a.status = time.Since(a.sent), response.StatusCode
		a.code, err = bodyCode(body)
		return err
	})
	return answers
}
