package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// wire is what lies between gates and a PortOne, and counts what they ask. With some orders
// look-ups fail, or cannot be read, a few times; cancel calls are lost, or their answers.
type wire struct {
	portone http.Handler
	drawn   func(what, of string) bool

	mu      sync.Mutex // over what follows
	tick    int        // the number of the newest beginning or end of a call
	faults  map[string]int
	looks   map[string][]span       // of one order alone, by its id
	cancels map[string][]cancelCall // that have reached PortOne: by V1's attempt, or V2's order
}

// span is from when to when a call lasted.
type span struct{ begun, ended int }

// cancelCall is a call that asks for a cancellation.
type cancelCall struct {
	span
	key  string // of V2
	came string // done, requested, or why not
}

func newWire(portone http.Handler, drawn func(what, of string) bool) *wire {
	return &wire{
		portone: portone, drawn: drawn, faults: map[string]int{}, looks: map[string][]span{},
		cancels: map[string][]cancelCall{},
	}
}

// ServeHTTP passes a call on, or what is left of it.
func (w *wire) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	order, cancel := w.about(r, body)
	switch {
	case cancel && w.strikes("call lost", order, 1):
		http.Error(to, "Bad Gateway", http.StatusBadGateway)
		return
	case !cancel && order != "" && w.strikes("look-up fails", order, 5): // PortOne is asked four times in a look
		http.Error(to, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	begun := w.now()
	answer := httptest.NewRecorder()
	w.portone.ServeHTTP(answer, r)
	text := answer.Body.Bytes()
	switch {
	case cancel:
		w.note(order, cancelCall{span{begun, w.now()}, r.Header.Get("Idempotency-Key"), cameOf(answer.Code, text)})
		if w.strikes("answer lost", order, 1) {
			panic(http.ErrAbortHandler)
		}
	case r.Method == http.MethodGet:
		text = w.garble(text)
		if order != "" && answer.Code == http.StatusOK {
			w.looked(order, span{begun, w.now()})
		}
	}
	maps.Copy(to.Header(), answer.Header())
	to.WriteHeader(answer.Code)
	_, _ = to.Write(text)
}

// about returns what a call is about, empty where that is many, and whether it cancels.
func (w *wire) about(r *http.Request, body []byte) (order string, cancel bool) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/payments/cancel":
		var ask struct {
			Attempt string `json:"imp_uid"`
		}
		_ = json.Unmarshal(body, &ask)
		return ask.Attempt, true
	case r.Method == http.MethodPost && len(parts) == 3 && parts[2] == "cancel":
		return parts[1], true
	case r.Method != http.MethodGet || parts[0] != "payments" || len(parts) < 2 || parts[1] == "status":
		return "", false
	case parts[1] == "findAll":
		return parts[2], false
	}
	return parts[1], false
}

// strikes reports whether a fault strikes that comes a few times to those it is drawn for.
func (w *wire) strikes(what, of string, times int) bool {
	if !w.drawn(what, of) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.faults[what+" "+of] == times {
		return false
	}
	w.faults[what+" "+of]++
	return true
}

func (w *wire) now() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tick++
	return w.tick
}

func (w *wire) note(payment string, c cancelCall) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancels[payment] = append(w.cancels[payment], c)
}

func (w *wire) looked(order string, at span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks[order] = append(w.looks[order], at)
}

// cameOf is what an answer to a cancel call says.
func cameOf(status int, text []byte) string {
	var said struct {
		Code         int
		Message      string
		Type         string
		Response     *struct{ Status string }
		Cancellation struct{ Status string }
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return fmt.Sprintf("%d %s", status, text)
	}
	switch {
	case said.Type != "":
		return said.Type
	case said.Code != 0:
		return said.Message
	case said.Cancellation.Status == "SUCCEEDED", said.Response != nil && said.Response.Status == "cancelled":
		return "done"
	case said.Cancellation.Status == "REQUESTED", said.Response != nil:
		return "requested"
	}
	return said.Cancellation.Status
}

// garble makes the payments of some orders unreadable, in whatever list they are.
func (w *wire) garble(text []byte) []byte {
	var body any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&body) != nil || !w.garbleIn(body) {
		return text
	}
	text, _ = json.Marshal(body) // of what was decoded
	return text
}

func (w *wire) garbleIn(body any) (garbled bool) {
	switch body := body.(type) {
	case []any:
		for _, item := range body {
			garbled = w.garbleIn(item) || garbled
		}
	case map[string]any:
		for _, name := range []string{"paymentId", "merchant_uid", "id"} {
			if order, ok := body[name].(string); ok && body["amount"] != nil && w.strikes("unreadable", order, 1) {
				body["amount"] = "?"
				return true
			}
		}
		for _, value := range body {
			garbled = w.garbleIn(value) || garbled
		}
	}
	return garbled
}

// callsOf returns the cancel calls about a payment which PortOne has looked at: a call with a
// key that it has seen is answered as the first one with it, and does nothing.
func (w *wire) callsOf(p *portonesim.Payment) (calls []cancelCall) {
	of, keys := p.Attempt, map[string]bool{}
	if p.Version == 2 {
		of = p.Order
	}
	for _, c := range w.cancels[of] {
		if c.key == "" || !keys[c.key] {
			calls = append(calls, c)
		}
		keys[c.key] = true
	}
	return calls
}

// check holds the cancel calls against what they should be: one for each refund, and one for
// each definite failure, with a look-up of the order before the next.
func (w *wire) check(payments []portonesim.Payment, listed map[string]gate.RefundLine) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range payments {
		p := &payments[i]
		if !p.Paid {
			continue
		}
		calls := w.callsOf(p)
		if err := w.checkCalls(p, calls, listed[p.Attempt].Waits); err != nil {
			return fmt.Errorf("%w: %+v, %+v", err, p, calls)
		}
	}
	return nil
}

func (w *wire) checkCalls(p *portonesim.Payment, calls []cancelCall, waits gate.RefundWait) error {
	asked, gone := p.Cancelled-p.NotAsked, p.Cancelled == p.Amount
	switch {
	case len(calls) != p.CancelCalls:
		return fmt.Errorf("%d cancel calls were sent, and %d came", len(calls), p.CancelCalls)
	case len(calls) > 0 && (waits == gate.WaitPerson || waits == gate.WaitAccount):
		return fmt.Errorf("it waits for %s, and cancel calls were sent", waits)
	case len(calls) == 0 && asked > 0:
		return fmt.Errorf("%d were given back, and nobody asked for it", asked)
	}
	for i, c := range calls {
		last := i == len(calls)-1
		switch {
		case p.Version == 2 && c.key == "":
			return fmt.Errorf("cancel call %d has no Idempotency-Key", i+1)
		case c.came == "done" && !last,
			slices.Contains([]string{"PAYMENT_ALREADY_CANCELLED", "이미 전액취소된 주문입니다."}, c.came) && p.NotAsked == 0:
			return fmt.Errorf("cancel call %d was followed by another, and it was %s", i+1, c.came)
		case last && asked == 0 && gone: // by others, whatever came of the calls
		case last && asked > 0 != (c.came == "done" || c.came == "requested"):
			return fmt.Errorf("%d were given back, and the last cancel call came to %s", asked, c.came)
		case !last && !slices.ContainsFunc(w.looks[p.Order],
			func(l span) bool { return l.begun > c.ended && l.ended < calls[i+1].begun }):
			return fmt.Errorf("after cancel call %d nobody looked before the next", i+1)
		}
	}
	return nil
}

// report tells how often PortOne was asked to cancel what, and what came of it.
func (w *wire) report(t *testing.T, payments []portonesim.Payment) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	refunds, came, table := 0, map[string]int{}, map[string]int{}
	sum := 0
	for i := range payments {
		p := &payments[i]
		calls := w.callsOf(p)
		if !p.Paid || len(calls) == 0 {
			continue
		}
		sum += len(calls)
		what := "listed"
		if p.Cancelled > p.NotAsked {
			what = "refunded"
			refunds++
		}
		table[fmt.Sprintf("%s after %2d calls", what, len(calls))]++
		for k, c := range calls {
			if c.came == "requested" && (k < len(calls)-1 || p.Cancelled == p.NotAsked) {
				c.came = "requested, and failed later"
			}
			came[c.came]++
		}
	}
	t.Logf("%d cancel calls: %d refunds and %d definite failures", sum, refunds, sum-refunds)
	for _, counts := range []map[string]int{table, came} {
		for _, line := range slices.Sorted(maps.Keys(counts)) {
			t.Logf("%6d  %s", counts[line], line)
		}
	}
	strikes := map[string]int{}
	for what := range w.faults {
		strikes[what[:strings.LastIndexByte(what, ' ')]]++
	}
	t.Logf("faults of the wire, by what they were: %v", strikes)
}
