package settle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// till is one attempt to pay at the besieged PortOne.
type till struct {
	order, attempt string
	version        int
	begun          time.Time
	ends           time.Time // when it is paid, or declined
	paid           bool      // then; else it is declined
	amount         int64
	cancelled      bool
}

// siegeBank is PortOne, V1 and V2, with its limit: more calls in a second than that are
// answered by 429. A cancellation takes its time.
type siegeBank struct {
	http.Handler
	limit int           // calls in a second
	slow  time.Duration // a cancellation
	http  time.Duration // any other call

	mu       sync.Mutex // over what follows
	byID     map[string]*till
	byOrder  map[string][]*till
	v2       []*till // by when they were begun
	recent   []time.Time
	calls    map[string]int
	limited  int
	cancels  map[string]int
	cancelAt []time.Time
}

func newSiegeBank(limit int, slow, latency time.Duration) *siegeBank {
	b := &siegeBank{
		limit: limit, slow: slow, http: latency,
		byID: map[string]*till{}, byOrder: map[string][]*till{}, calls: map[string]int{}, cancels: map[string]int{},
	}
	mux := http.NewServeMux()
	b.Handler = mux
	handle := func(pattern, name string, takes func() time.Duration, answer http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if !b.count(name) {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			body, _ := io.ReadAll(r.Body) // else the server does not see that the client is gone
			r.Body = io.NopCloser(bytes.NewReader(body))
			select {
			case <-time.After(takes()):
				answer(w, r)
			case <-r.Context().Done():
			}
		})
	}
	brief := func() time.Duration { return b.http }
	handle("POST /users/getToken", "token", brief, b.token)
	handle("GET /payments/findAll/{order}/", "v1 order", brief, b.v1Order)
	handle("GET /v1/payments", "v1 payments", brief, b.v1Payments)
	handle("GET /v2/payments", "v2 payments", brief, b.v2Payments)
	handle("GET /payments/{id}", "payment", brief, b.payment)
	handle("GET /payments/{id}/transactions", "v2 transactions", brief, b.v2Transactions)
	handle("POST /payments/cancel", "v1 cancel", func() time.Duration { return b.slow }, b.v1Cancel)
	handle("POST /payments/{id}/cancel", "v2 cancel", func() time.Duration { return b.slow }, b.v2Cancel)
	return b
}

// ServeHTTP tells the two lists apart, which have the same path.
func (b *siegeBank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/payments" {
		r.URL.Path = "/v1/payments"
		if r.URL.Query().Has("requestBody") {
			r.URL.Path = "/v2/payments"
		}
	}
	b.Handler.ServeHTTP(w, r)
}

// count counts a call, and reports whether it is within the limit.
func (b *siegeBank) count(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.recent = slices.DeleteFunc(b.recent, func(at time.Time) bool { return now.Sub(at) > time.Second })
	if len(b.recent) >= b.limit+b.limit/5 { // what is sent evenly need not come so
		b.limited++
		return false
	}
	b.recent = append(b.recent, now)
	b.calls[name]++
	return true
}

// begin begins an attempt.
func (b *siegeBank) begin(t *till) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.byID[t.attempt] = t
	b.byOrder[t.order] = append(b.byOrder[t.order], t)
	if t.version == 2 && len(b.byOrder[t.order]) == 1 {
		b.v2 = append(b.v2, t)
	}
}

func (t *till) status(words [4]string) string {
	switch {
	case t.cancelled:
		return words[3]
	case time.Now().Before(t.ends):
		return words[0]
	case t.paid:
		return words[1]
	}
	return words[2]
}

func (t *till) given() int64 {
	if t.cancelled {
		return t.amount
	}
	return 0
}

func (t *till) v1() map[string]any {
	return map[string]any{
		"imp_uid": t.attempt, "merchant_uid": t.order,
		"status": t.status([4]string{"ready", "paid", "failed", "cancelled"}),
		"amount": t.amount, "cancel_amount": t.given(), "currency": "KRW", "sandbox": false,
	}
}

func (t *till) v2(order, attempt string) map[string]any {
	return map[string]any{
		order: t.order, attempt: t.attempt, "status": t.status([4]string{"READY", "PAID", "FAILED", "CANCELLED"}),
		"currency":    "KRW",
		"amount":      map[string]any{"total": t.amount, "cancelled": t.given()},
		"channel":     map[string]any{"type": "LIVE"},
		"requestedAt": t.begun.UTC().Format(time.RFC3339Nano),
	}
}

func (b *siegeBank) token(w http.ResponseWriter, _ *http.Request) {
	now := time.Now().Unix()
	say1(w, map[string]any{"access_token": "token", "now": now, "expired_at": now + 1800})
}

func say1(w http.ResponseWriter, response any) {
	say2(w, map[string]any{"code": 0, "message": nil, "response": response})
}

func say2(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func no1(w http.ResponseWriter) {
	w.WriteHeader(http.StatusNotFound)
	say2(w, map[string]any{"code": -1, "message": "there is none", "response": nil})
}

func no2(w http.ResponseWriter) {
	w.WriteHeader(http.StatusNotFound)
	say2(w, map[string]any{"type": "PAYMENT_NOT_FOUND", "message": "there is none"})
}

func (b *siegeBank) v1Payments(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []any{}
	for _, id := range r.URL.Query()["imp_uid[]"] {
		if t := b.byID[id]; t != nil && t.version == 1 {
			list = append(list, t.v1())
		}
	}
	if len(list) == 0 {
		no1(w)
		return
	}
	say1(w, list)
}

func (b *siegeBank) v1Order(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []any{}
	for _, t := range b.byOrder[r.PathValue("order")] {
		list = append(list, t.v1())
	}
	if len(list) == 0 {
		no1(w)
		return
	}
	say1(w, map[string]any{"next": 0, "list": list})
}

// payment is one of V1's by its attempt, or of V2's by its order.
func (b *siegeBank) payment(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := r.PathValue("id")
	if strings.HasPrefix(r.Header.Get("Authorization"), "PortOne ") {
		if tries := b.byOrder[id]; len(tries) > 0 && tries[0].version == 2 {
			say2(w, newest(tries).v2("id", "transactionId"))
			return
		}
		no2(w)
		return
	}
	if t := b.byID[id]; t != nil && t.version == 1 {
		say1(w, t.v1())
		return
	}
	no1(w)
}

// newest is the attempt that V2 shows of an order.
func newest(tries []*till) *till { return tries[len(tries)-1] }

func (b *siegeBank) v2Payments(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Page   struct{ Number, Size int }
		Filter struct{ From time.Time }
	}
	if err := json.Unmarshal([]byte(r.URL.Query().Get("requestBody")), &ask); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	from, _ := slices.BinarySearchFunc(b.v2, ask.Filter.From,
		func(t *till, at time.Time) int { return t.begun.Compare(at) })
	listed := b.v2[from:]
	items := []any{}
	for _, t := range listed[min(len(listed), ask.Page.Number*ask.Page.Size):min(len(listed),
		(ask.Page.Number+1)*ask.Page.Size)] {
		items = append(items, newest(b.byOrder[t.order]).v2("id", "transactionId"))
	}
	say2(w, map[string]any{"items": items})
}

func (b *siegeBank) v2Transactions(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := []any{}
	for _, t := range b.byOrder[r.PathValue("id")] {
		items = append(items, t.v2("paymentId", "id"))
	}
	if len(items) == 0 {
		no2(w)
		return
	}
	say2(w, map[string]any{"items": items})
}

func (b *siegeBank) v1Cancel(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		ImpUID string `json:"imp_uid"`
	}
	_ = json.NewDecoder(r.Body).Decode(&ask)
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.byID[ask.ImpUID]
	if t == nil {
		no1(w)
		return
	}
	b.cancel(t)
	say1(w, t.v1())
}

func (b *siegeBank) v2Cancel(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tries := b.byOrder[r.PathValue("id")]
	if len(tries) == 0 {
		no2(w)
		return
	}
	b.cancel(newest(tries))
	say2(w, map[string]any{"cancellation": map[string]any{"status": "SUCCEEDED"}})
}

func (b *siegeBank) cancel(t *till) {
	t.cancelled = true
	b.cancels[t.attempt]++
	b.cancelAt = append(b.cancelAt, time.Now())
}

// refunded is how many payments were cancelled.
func (b *siegeBank) refunded() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.cancels)
}

// refundedFrom is when the first payment was cancelled, and the last.
func (b *siegeBank) refundedFrom() (first, last time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.cancelAt) == 0 {
		return first, last
	}
	return b.cancelAt[0], b.cancelAt[len(b.cancelAt)-1]
}

// bill says how many calls there were, the most frequent first.
func (b *siegeBank) bill() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	names, text, sum := []string{}, []string{}, 0
	for name, n := range b.calls {
		names, sum = append(names, name), sum+n
	}
	slices.SortFunc(names, func(a, c string) int { return cmp.Compare(b.calls[c], b.calls[a]) })
	for _, name := range names {
		text = append(text, name+" "+strconv.Itoa(b.calls[name]))
	}
	return fmt.Sprintf("%d calls (%s), %d more were refused as too many", sum, strings.Join(text, ", "), b.limited)
}
