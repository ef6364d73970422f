package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
)

const (
	timedOut = "timed out"
	closed   = "closed" // the connection, without an answer
)

// entrance is how requests come to a gate.
type entrance struct {
	addr    string
	proxied bool // it is a HAProxy's
}

// entrances runs a test at a gate's own listener, and at a HAProxy before a gate.
// The gate has the sale "race".
func entrances(t *testing.T, test func(t *testing.T, redis *redistest.Server, gate *process, at entrance)) {
	t.Parallel()
	t.Run("direct", func(t *testing.T) {
		t.Parallel()
		redis := redistest.Start(t)
		gate := serveSale(t, redis.URL(), openSale("race", 100_000), "--language", "en")
		test(t, redis, gate, entrance{addr: gate.listen})
	})
	t.Run("through HAProxy", func(t *testing.T) {
		t.Parallel()
		redis := redistest.Start(t)
		gate := serveSale(t, redis.URL(), openSale("race", 100_000), "--language", "en", "--trusted-proxies",
			"127.0.0.1/32")
		addr := redistest.StartHAProxy(t, fmt.Sprintf(haproxyConfig, gate.listen))
		await(t, "HAProxy to pass requests on", func() error {
			if status, _ := gate.get(addr, "/readyz"); status != http.StatusOK {
				return fmt.Errorf("it answers %d", status)
			}
			return nil
		})
		test(t, redis, gate, entrance{addr, true})
	})
}

// haproxyConfig makes HAProxy mix the requests of all clients on the connections
// to its gate, which is where a request with two ends would do harm.
const haproxyConfig = `
global
	maxconn 4096
defaults
	mode http
	option http-keep-alive
	option forwardfor
	timeout connect 2s
	timeout http-request 2s
	timeout http-keep-alive 2s
	timeout client 3s
	timeout server 10s
frontend public
	bind fd@3 proto h1
	default_backend gates
backend gates
	http-reuse always
	server gate %s
`

// Of hostile requests none crashes the gate, takes a unit, or keeps the others
// from being answered.
func TestHostileRequestsHaveTheirAnswer(t *testing.T) {
	entrances(t, func(t *testing.T, redis *redistest.Server, gate *process, at entrance) {
		sales := labelValues(t, gate, "sale")
		honest := startLoadAt(t, "race", 2, at.addr)
		honest.await(t, 1, "held")
		var rows sync.WaitGroup
		want := map[string]bool{}
		for _, row := range hostileRequests() {
			if at.proxied && row.proxied != nil {
				row.want, row.says, row.orders = row.proxied.want, "", row.proxied.orders
			}
			for _, order := range row.orders {
				want[order] = true
			}
			rows.Go(func() {
				answers, text := exchange(at.addr, row.sends, row.stays || at.proxied)
				if answers != row.want || !strings.Contains(text, row.says) {
					t.Errorf("%s: %s, want %s with %q; the answer was %.500q", row.name, answers, row.want,
						row.says, text)
				}
			})
		}
		rows.Wait()
		honest.await(t, 10, "held")
		answers := honest.stop()
		checkAllHeld(t, answers)
		for _, a := range answers {
			want[a.order] = true
		}
		checkOrders(t, redis, want)
		if got := labelValues(t, gate, "sale"); !slices.Equal(got, sales) {
			t.Errorf("the metrics' label sale had the values %q and has %q", sales, got)
		}
		keys, _ := redis.Do(t, "KEYS", "*made-up*").([]any)
		if len(keys) > 0 {
			t.Errorf("Redis has %q of sales that do not exist", keys)
		}
		if panics := metric(t, gate, "flashgate_panics_total"); panics != "0" {
			t.Errorf("the gate panicked %s times", panics)
		}
		checkMemory(t, gate)
		gate.stop(t)
	})
}

// checkOrders wants these orders of the sale "race" held and no others.
func checkOrders(t *testing.T, redis *redistest.Server, want map[string]bool) {
	t.Helper()
	if got := orders(t, redis, "race"); !maps.Equal(got, want) {
		for order := range want {
			if !got[order] {
				t.Errorf("order %s was answered 200 and is not recorded", order)
			}
			delete(got, order)
		}
		t.Errorf("recorded although not answered 200: %v", got)
	}
	checkUnits(t, redis.URL(), "race", len(want))
}

// Slow clients take connections, not the others' answers, and each connection
// only for as long as one request may take.
func TestSlowClientsHinderNobody(t *testing.T) {
	entrances(t, func(t *testing.T, redis *redistest.Server, gate *process, at entrance) {
		starts := []string{"", withBody(v1("refused", "i") + strings.Repeat(" ", 1000))[:200]}
		honest := startLoadAt(t, "race", 2, at.addr)
		var slow sync.WaitGroup
		var over atomic.Bool
		end := func() {
			over.Store(true)
			slow.Wait()
		}
		defer end()
		come := func() net.Conn {
			conn, err := net.Dial("tcp", at.addr)
			if err != nil {
				t.Error(err)
			}
			return conn
		}
		for i := range 500 {
			conn := come()
			slow.Go(func() {
				for ; conn != nil; conn = come() {
					if kept := trickle(conn, starts[i%2]); kept < time.Second || kept >= patience {
						t.Errorf("a slow connection was kept for %v", kept)
					}
					if over.Load() {
						return
					}
				}
			})
		}
		honest.await(t, 100, "held")
		end()
		answers := honest.stop()
		checkAllHeld(t, answers)
		held := map[string]bool{}
		for _, a := range answers {
			held[a.order] = true
		}
		checkOrders(t, redis, held)
		checkMemory(t, gate)
		gate.stop(t)
	})
}

// trickle sends the beginning of a request and then a byte at a time, and returns
// after how long the other side closed the connection: patience if it did not.
func trickle(conn net.Conn, start string) (kept time.Duration) {
	defer conn.Close()
	began := time.Now()
	_ = conn.SetDeadline(began.Add(patience)) // reading fails as well if it cannot be set
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn) // an answer or a reset, both close it
	}()
	pace := time.NewTicker(300 * time.Millisecond)
	defer pace.Stop()
	_, err := io.WriteString(conn, start)
	for err == nil {
		_, err = conn.Write([]byte("x"))
		select {
		case <-pace.C:
		case <-gone:
			return time.Since(began)
		}
	}
	<-gone
	return time.Since(began)
}

// exchange sends bytes on a connection of its own, and returns all answers that
// come back: in short, such as "200 held, 404 unknown_sale ×3, 400 HAProxy", and
// as they are. HAProxy is named where the answer is its own.
func exchange(addr, sends string, stays bool) (answers, text string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err.Error(), ""
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err.Error(), ""
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		_, err := io.WriteString(conn, sends)
		if err == nil && !stays {
			_ = conn.(*net.TCPConn).CloseWrite() // the gate may have closed it before
		}
	})
	var said bytes.Buffer
	if _, err := said.ReadFrom(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		return timedOut, said.String()
	}
	return inShort(said.String()), said.String()
}

func inShort(said string) string {
	if said == "" {
		return closed
	}
	var answers []string
	reader := bufio.NewReader(strings.NewReader(said))
	for last, n := "", 0; ; {
		answer, err := oneAnswer(reader)
		if n > 1 && (err != nil || answer != last) {
			answers[len(answers)-1] += fmt.Sprint(" ×", n)
		}
		if err == io.EOF {
			return strings.Join(answers, ", ")
		}
		if err != nil {
			return fmt.Sprint(strings.Join(answers, ", "), ", then ", err)
		}
		if answer != last {
			answers, last, n = append(answers, answer), answer, 0
		}
		n++
	}
}

func oneAnswer(r *bufio.Reader) (string, error) {
	if _, err := r.Peek(1); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.Header.Get("Server") != "flashgate" && response.StatusCode != http.StatusContinue {
		return fmt.Sprint(response.StatusCode, " HAProxy"), err
	}
	if err != nil || response.StatusCode == http.StatusContinue {
		return fmt.Sprint(response.StatusCode), err
	}
	code, err := bodyCode(body)
	return fmt.Sprint(response.StatusCode, " ", code), err
}

func checkAllHeld(t *testing.T, answers []answer) {
	t.Helper()
	for _, a := range answers {
		if a.status != http.StatusOK || a.code != "held" || a.took > answerBound {
			t.Errorf("an honest confirm: %+v", a)
		}
	}
	t.Logf("%d honest confirms", len(answers))
}

// checkMemory wants that the gate never had more than 200 MB in memory.
func checkMemory(t *testing.T, gate *process) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", gate.cmd.Process.Pid))
	if err != nil {
		t.Fatalf("the gate is gone: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var peak int
	if _, err := fmt.Sscanf(rest, "%d kB", &peak); err != nil {
		t.Fatal(err)
	}
	if peak > 200<<10 {
		t.Errorf("the gate had %d kB in memory", peak)
	}
	t.Logf("the gate had at most %d kB in memory", peak)
}
