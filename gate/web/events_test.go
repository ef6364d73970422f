package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
)

// notCalled is nil, for what of Sales no stream calls.
type notCalled interface{ Sales }

// newsroom is an admin listener over a sale whose ledger is in memory. It belongs into a bubble.
type newsroom struct {
	notCalled
	t     *testing.T
	admin *Admin
	ln    *door

	mu      sync.Mutex
	entries []*gate.Entry
	more    chan struct{} // is closed with the next entry
	kept    int           // newest entries that the mirror has; 0: there is no mirror
	fails   error         // of every reading
	reads   int           // of the ledger
}

// door is arrivals that end when it is closed.
type door struct {
	arrivals
	once sync.Once
}

func (d *door) Close() error {
	d.once.Do(func() { close(d.arrivals) })
	return nil
}

func openNewsroom(t *testing.T) *newsroom {
	t.Helper()
	n := &newsroom{t: t, ln: &door{arrivals: make(arrivals)}, more: make(chan struct{})}
	quiet := slog.New(slog.DiscardHandler)
	n.admin = NewAdmin(AdminDeps{
		Registry: prometheus.NewRegistry(), Gate: lane.New(lane.Deps{}, lane.Options{}), Metrics: newMetrics(),
		Sales: n, Tokens: Anybody(), Now: time.Now, Log: quiet,
	}, AdminOptions{})
	n.admin.streams.mirror = n.since
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := n.admin.Serve(n.ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if err := n.admin.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return n
}

// write adds entries to the ledger, each with an order and units.
func (n *newsroom) write(count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for range count {
		seq := int64(len(n.entries) + 1)
		o := gate.Order{
			ID: fmt.Sprint("order-", seq), State: gate.OrderHeld, Revision: 1,
			Lines:    []gate.Line{{SKU: "unit", Quantity: 1}},
			Attempts: []gate.Attempt{{ID: "i", State: gate.AttemptOpen, Version: 1}}, Taken: time.Now(),
		}
		n.entries = append(n.entries, &gate.Entry{
			Seq: seq, Term: 1, Time: time.Now(), Kind: "confirm", Who: "gate",
			Counters: map[string]gate.Units{"unit": {Total: 1000, Left: 1000 - seq, Held: seq}},
			Counts:   gate.OrderCounts{Held: seq},
			Changes:  []gate.Change{{Order: o.ID, Record: string(gate.AppendRecord(nil, &o))}},
		})
	}
	close(n.more)
	n.more = make(chan struct{})
}

// Sale implements Sales.
func (n *newsroom) Sale(context.Context, string) (gate.State, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return gate.State{Sale: gate.Sale{Name: "race", Run: 1}, Seq: int64(len(n.entries))}, n.fails
}

// Ledger implements Sales.
func (n *newsroom) Ledger(_ context.Context, _ string, from int64) iter.Seq2[*gate.Entry, error] {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reads++
	entries, fails := n.entries[min(max(0, from-1), int64(len(n.entries))):], n.fails
	return func(yield func(*gate.Entry, error) bool) {
		if fails != nil {
			yield(nil, fails)
			return
		}
		for e := range readEach(entries) {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// since is what a mirror says.
func (n *newsroom) since(_ string, seq int64) (entries []*gate.Entry, more <-chan struct{}, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	newest := len(n.entries)
	if behind := newest - int(seq); seq < 0 || behind > n.kept || behind < 0 {
		return nil, nil, false
	}
	return n.entries[seq:], n.more, true
}

// set changes what the fake does.
func (n *newsroom) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

// ended fails unless so many streams have ended so.
func (n *newsroom) ended(outcome string, want float64) {
	n.t.Helper()
	synctest.Wait()
	if got := testutil.ToFloat64(n.admin.deps.Metrics.streamed.WithLabelValues(outcome)); got != want {
		n.t.Errorf("%v streams have ended as %s, want %v", got, outcome, want)
	}
}

// listener is who reads a stream. It reads nothing but when it is asked to.
type listener struct {
	t      *testing.T
	conn   net.Conn
	answer *http.Response
	text   *bufio.Reader
	id     string // the last one
}

// listen opens a stream behind an entry, or with the sale first.
func (n *newsroom) listen(lastID string) *listener {
	n.t.Helper()
	near, far := net.Pipe()
	n.t.Cleanup(func() { far.Close() })
	n.ln.arrivals <- near
	header := ""
	if lastID != "" {
		header = "Last-Event-ID: " + lastID + "\r\n"
	}
	const request = "GET /v1/sales/race/events HTTP/1.1\r\nHost: localhost\r\n"
	if _, err := io.WriteString(far, request+header+"\r\n"); err != nil {
		n.t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(far), nil)
	if err != nil {
		n.t.Fatal(err)
	}
	return &listener{n.t, far, answer, bufio.NewReader(answer.Body), lastID}
}

// next reads an event, or a comment. Its head is what its fields say, in their order; "EOF" is the
// end of the stream.
func (l *listener) next() (head, data string) {
	l.t.Helper()
	var fields []string
	for {
		line, err := l.text.ReadString('\n')
		if err != nil {
			return err.Error(), ""
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return strings.Join(fields, ", "), data
		}
		if text, is := strings.CutPrefix(line, "data: "); is {
			data = text
			continue
		}
		if id, is := strings.CutPrefix(line, "id"); is {
			l.id = strings.TrimPrefix(id, ": ")
		}
		fields = append(fields, line)
	}
}

// want fails unless the next thing is that, with that in its data.
func (l *listener) want(head, data string) {
	l.t.Helper()
	if is, with := l.next(); is != head || !strings.Contains(with, data) {
		l.t.Fatalf("comes %q with %s, want %q with %s", is, with, head, data)
	}
}

// wantEntries fails unless the next events are entries of the ledger, from one to another.
func (l *listener) wantEntries(from, to int64) {
	l.t.Helper()
	for seq := from; seq <= to; seq++ {
		head, data := l.next()
		var e gate.EntryView
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Seq != seq ||
			head != fmt.Sprintf("id: %d:%d", seq, e.Time.UnixMilli()) || len(e.Orders) != 1 ||
			e.Orders[0].Order != fmt.Sprint("order-", seq) || e.Units["unit"].Held != seq {
			l.t.Fatalf("comes %q with %s, %v; want entry %d", head, data, err, seq)
		}
	}
}

// bubble runs a test with a newsroom that has some entries, in virtual time.
func bubble(t *testing.T, entries int, test func(t *testing.T, n *newsroom)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := openNewsroom(t)
		n.write(entries)
		test(t, n)
	})
}

const opened = "retry: 1000"

func TestAStreamBeginsWithTheSaleAndGoesOnWithEachChange(t *testing.T) {
	bubble(t, 3, func(t *testing.T, n *newsroom) {
		l := n.listen("")
		if kind := l.answer.Header.Get("Content-Type"); l.answer.StatusCode != 200 ||
			kind != "text/event-stream; charset=utf-8" {
			t.Fatalf("%d %s", l.answer.StatusCode, kind)
		}
		l.want(opened, "")
		l.want("id: 3, event: sale", `"seq":3,`)
		n.write(2)
		l.wantEntries(4, 5)
		n.write(1)
		l.wantEntries(6, 6)
	})
}

// What a mirror tells comes at once, what must be looked for within half a second, and nothing
// comes twice or not at all where one takes the other's place.
func TestAStreamHasEachEntryOnceWhereverItComesFrom(t *testing.T) {
	bubble(t, 3, func(t *testing.T, n *newsroom) {
		l := n.listen("1")
		l.want(opened, "")
		l.wantEntries(2, 3)
		next := int64(4)
		took := func(entries int) time.Duration {
			t.Helper()
			synctest.Wait()
			began := time.Now()
			n.write(entries)
			l.wantEntries(next, next+int64(entries)-1)
			next += int64(entries)
			return time.Since(began)
		}
		for range 3 {
			n.set(func() { n.kept = 0 })
			if d := took(2); d == 0 || d > pollEvery {
				t.Errorf("without a mirror it takes %v", d)
			}
			n.set(func() { n.kept = 100 })
			took(1) // the mirror is found when the stream looks again
			n.set(func() { n.reads = 0 })
			for range 3 {
				time.Sleep(time.Millisecond)
				if d := took(5); d != 0 {
					t.Errorf("with a mirror it takes %v", d)
				}
			}
			n.set(func() {
				if n.reads > 0 {
					t.Errorf("the store is read %d times", n.reads)
				}
			})
			took(200) // more than the mirror has
		}
	})
}

// Who lost the connection goes on behind the last event, however far the mirror reaches back.
func TestAStreamIsResumed(t *testing.T) {
	bubble(t, 50, func(t *testing.T, n *newsroom) {
		n.set(func() { n.kept = 10 })
		l := n.listen("20")
		l.want(opened, "")
		l.wantEntries(21, 40)
		l.conn.Close()
		n.ended(streamLeft, 1)
		n.write(5)
		l = n.listen(l.id)
		l.want(opened, "")
		l.wantEntries(41, 55)
	})
}

// Twice a minute would be enough for proxies; the listener's time-outs do not count.
func TestASilentStreamLivesOn(t *testing.T) {
	bubble(t, 1, func(t *testing.T, n *newsroom) {
		l := n.listen("1")
		l.want(opened, "")
		for range 30 { // five minutes
			began := time.Now()
			l.want(":", "")
			if d := time.Since(began); d < beatEvery || d > beatEvery+pollEvery {
				t.Fatalf("after %v", d)
			}
		}
		n.write(1)
		l.wantEntries(2, 2)
	})
}

func TestAStreamOutlastsAStoreThatIsAway(t *testing.T) {
	bubble(t, 1, func(t *testing.T, n *newsroom) {
		l := n.listen("1")
		l.want(opened, "")
		n.set(func() { n.fails = errors.New("no\nRedis") })
		l.want(": no changes can be read now: no Redis", "")
		n.write(1)
		l.want(": no changes can be read now: no Redis", "")
		n.set(func() { n.fails = nil })
		l.wantEntries(2, 2)
	})
}

// What cannot be told is not left out in silence. Who connects anew then is shown the sale.
func TestWhoseEntryIsGoneStartsOver(t *testing.T) {
	bubble(t, 3, func(t *testing.T, n *newsroom) {
		const over = "id, event: start_over"
		gone := func(id string) {
			t.Helper()
			l := n.listen(id)
			l.want(opened, "")
			l.want(over, `"from":"/v1/sales/race/events"`)
			if l.want("EOF", ""); l.id != "" {
				t.Errorf("the next id is %q", l.id)
			}
		}
		gone("4")
		gone("3:12345") // the entry is another one now
		n.ended(streamStartOver, 2)

		for _, kept := range []int{0, 100} {
			for _, others := range []int{0, 1, 2} {
				n.set(func() { n.kept = kept })
				l := n.listen("3")
				l.want(opened, "")
				n.write(1)
				l.wantEntries(4, 4)
				time.Sleep(time.Millisecond)
				n.set(func() { n.entries = n.entries[:3] }) // Redis has lost the newest,
				n.write(others)                             // and writes others
				l.want(over, "the ledger has no such entry")
				l.want("EOF", "")
				n.set(func() { n.entries = n.entries[:3] })
			}
		}
	})
}

func TestWhoIsFarBehindStartsOver(t *testing.T) {
	bubble(t, farBehind+2, func(t *testing.T, n *newsroom) {
		l := n.listen("1")
		l.want(opened, "")
		l.want("id, event: start_over", "more than 20000 entries")
		l.want("EOF", "")

		l = n.listen("2") // just not too far; it is read while as many are written
		l.want(opened, "")
		l.wantEntries(3, 100)
		n.write(farBehind)
		for head := ""; ; head, _ = l.next() {
			if head == "id, event: start_over" {
				break
			}
			if head == "EOF" {
				t.Fatal("it ends")
			}
		}
		n.ended(streamStartOver, 2)
	})
}

// A connection that nobody reads from is given up, and the gate holds no more for it than one entry.
func TestWhoDoesNotReadIsCutOff(t *testing.T) {
	bubble(t, 100, func(t *testing.T, n *newsroom) {
		l := n.listen("1")
		time.Sleep(sendTimeout - time.Second)
		n.ended(streamSlow, 0)
		time.Sleep(2 * time.Second)
		n.ended(streamSlow, 1)
		heads := 0
		for head := ""; head != "unexpected EOF"; heads++ {
			head, _ = l.next()
		}
		if heads > 50 {
			t.Errorf("%d events were kept for it", heads)
		}
	})
}

func TestAGateHasOnlySoManyStreams(t *testing.T) {
	bubble(t, 1, func(t *testing.T, n *newsroom) {
		var all []*listener
		for range mostStreams {
			all = append(all, n.listen("1"))
		}
		open := func(want float64) {
			t.Helper()
			if got := testutil.ToFloat64(n.admin.deps.Metrics.streams); got != want {
				t.Errorf("%v streams are open, want %v", got, want)
			}
		}
		open(mostStreams)
		refused := n.listen("1")
		said, err := io.ReadAll(io.LimitReader(refused.answer.Body, refused.answer.ContentLength))
		if refused.answer.StatusCode != 503 || err != nil || !strings.Contains(string(said), "ask another one") {
			t.Errorf("one more is answered %d %s, %v", refused.answer.StatusCode, said, err)
		}
		n.ended(streamRefused, 1)
		all[0].conn.Close()
		synctest.Wait()
		open(mostStreams - 1)
		l := n.listen("1")
		l.want(opened, "")
	})
}

// Who reads is told; who does not is not waited for.
func TestADrainEndsTheStreams(t *testing.T) {
	bubble(t, 50, func(t *testing.T, n *newsroom) {
		l, stuck := n.listen("50"), n.listen("1")
		l.want(opened, "")
		synctest.Wait()
		began := time.Now()
		var ending sync.WaitGroup
		ending.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := n.admin.Shutdown(ctx); err != nil {
				t.Error(err)
			}
		})
		l.want("event: end", "go on at another one")
		l.want("EOF", "")
		if d := time.Since(began); d > 0 || l.id != "50" {
			t.Errorf("after %v, with the id %q", d, l.id)
		}
		ending.Wait()
		if d := time.Since(began); d >= time.Second {
			t.Errorf("it takes %v to end the one that nobody reads", d)
		}
		stuck.conn.Close()
		n.ended(streamDrained, 1)
	})
}

func TestWhereAStreamBeginsMustBeAPlace(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	const path = "/v1/sales/race/events"
	for _, since := range []string{"first", "-1", "1.5", "1:"} {
		d.want("GET", path+"?since="+since, "", 400, "must be the seq of an entry")
		if status, said := d.ask(kim, "GET", path, "", "Last-Event-ID: "+since); status != 400 {
			t.Errorf("Last-Event-ID %s: %d %s", since, status, said)
		}
	}
	d.want("GET", "/v1/sales/swim/events", "", 404,
		"there is no sale swim: did you mean race? flashgate apply creates one")
	answer := d.call(viewer, "GET", path+"?since=0", "", "Last-Event-ID: 1")
	defer answer.Body.Close()
	l := &listener{t: t, text: bufio.NewReader(answer.Body)}
	d.want("POST", "/v1/sales/race/pause", "", 200, "true")
	l.want(opened, "")
	if head, data := l.next(); !strings.HasPrefix(head, "id: 2:") || !strings.Contains(data, `"kind":"pause"`) {
		t.Errorf("first comes %q with %s: the header says more than the query of the first connection", head, data)
	}
}
