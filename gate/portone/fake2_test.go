package portone_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// fakeV2 is PortOne's V2 as its documentation has it.
type fakeV2 struct {
	fake
	made         []made              // the oldest first, as they are added
	payments     map[string]object   // by order: the newest or the one that succeeded
	transactions map[string][]object // by order
	keys         []string            // Idempotency-Key of each cancellation
	bodies       []string            // of each cancellation
	maxPage      int                 // payments that a page has at most, whatever is asked for; 0: no bound
}

// made is when an order's first payment was made.
type made struct {
	order, version string
	at             time.Time
}

func newFakeV2(payments ...object) *fakeV2 {
	f := &fakeV2{payments: map[string]object{}, transactions: map[string][]object{}}
	for _, p := range payments {
		f.add(p)
	}
	return f
}

func (f *fakeV2) add(p object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	order := p["id"].(string)
	if f.payments[order] == nil {
		at, _ := time.Parse(time.RFC3339Nano, p["requestedAt"].(string))
		f.made = append(f.made, made{order, p["version"].(string), at})
	}
	f.payments[order] = p
	t := object{}
	for name, value := range p {
		t[name] = value
	}
	t["id"], t["paymentId"] = p["transactionId"], order
	delete(t, "transactionId")
	f.transactions[order] = append(f.transactions[order], t)
}

// v2Payment is a payment as V2 shows it, with personal data as V2 has it.
func v2Payment(order, transaction, status string, more ...object) object {
	p := object{
		"id": order, "transactionId": transaction, "status": status, "version": "V2", "orderName": "마라톤",
		"amount":   object{"total": 110000, "paid": 0, "cancelled": 0, "taxFree": 0, "discount": 0},
		"currency": "KRW", "customer": object{"name": "김철수", "phoneNumber": "010-0000-0000"},
		"channel": object{"type": "LIVE", "key": "channel-key-x"}, "requestedAt": "2026-12-01T01:00:00Z",
		"method": object{"type": "PaymentMethodCard"},
	}
	for _, m := range more {
		for name, value := range m {
			p[name] = value
		}
	}
	return p
}

func (f *fakeV2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.begin(w, r) {
		return
	}
	fail := func(status int, kind string) {
		answer(w, status, object{"type": kind, "message": "실패: " + r.Header.Get("Authorization")})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Header.Get("Authorization") != "PortOne "+fakeSecret {
		fail(http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	if r.URL.Path == "/payments" {
		f.list(w, r.URL.Query().Get("requestBody"), fail)
		return
	}
	order, what, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/payments/"), "/")
	order, err := url.PathUnescape(order)
	p, ok := f.payments[order]
	if err != nil || !ok {
		fail(http.StatusNotFound, "PAYMENT_NOT_FOUND")
		return
	}
	switch {
	case what == "" && r.Method == http.MethodGet:
		answer(w, http.StatusOK, p)
	case what == "transactions" && r.Method == http.MethodGet:
		answer(w, http.StatusOK, object{"items": f.transactions[order]})
	case what == "cancel" && r.Method == http.MethodPost:
		f.cancel(w, r, p, fail)
	default:
		fail(http.StatusNotFound, "NOT_FOUND")
	}
}

func (f *fakeV2) list(w http.ResponseWriter, text string, fail func(int, string)) {
	var ask struct {
		Page   struct{ Number, Size int }
		Filter struct {
			Version, TimestampType, SortBy, SortOrder string
			From                                      time.Time
		}
	}
	if json.Unmarshal([]byte(text), &ask) != nil || (ask.Page.Number+1)*ask.Page.Size > 60_000 ||
		ask.Filter.TimestampType != "CREATED_AT" || ask.Filter.SortBy != "REQUESTED_AT" ||
		ask.Filter.SortOrder != "ASC" {
		fail(http.StatusBadRequest, "INVALID_REQUEST")
		return
	}
	var orders []string
	for _, m := range f.made {
		if !m.at.Before(ask.Filter.From) && m.version == ask.Filter.Version {
			orders = append(orders, m.order)
		}
	}
	size := ask.Page.Size
	if f.maxPage > 0 {
		size = min(size, f.maxPage)
	}
	from := min(ask.Page.Number*size, len(orders))
	page := []object{}
	for _, order := range orders[from:min(from+size, len(orders))] {
		page = append(page, f.payments[order])
	}
	answer(w, http.StatusOK, object{
		"items": page,
		"page":  object{"number": ask.Page.Number, "size": ask.Page.Size, "totalCount": len(page)},
	})
}

func (f *fakeV2) cancel(w http.ResponseWriter, r *http.Request, p object, fail func(int, string)) {
	var ask struct {
		Reason  string
		StoreID string
		Balance *int `json:"currentCancellableAmount"`
	}
	if json.NewDecoder(r.Body).Decode(&ask) != nil || ask.Reason == "" {
		fail(http.StatusBadRequest, "INVALID_REQUEST")
		return
	}
	f.keys = append(f.keys, r.Header.Get("Idempotency-Key"))
	f.bodies = append(f.bodies, fmt.Sprintf("%s %s %d", ask.StoreID, ask.Reason, *ask.Balance))
	amount := p["amount"].(object)
	switch {
	case p["status"] == "CANCELLED":
		fail(http.StatusConflict, "PAYMENT_ALREADY_CANCELLED")
	case p["status"] != "PAID":
		fail(http.StatusConflict, "PAYMENT_NOT_PAID")
	case *ask.Balance != amount["total"].(int)-amount["cancelled"].(int):
		fail(http.StatusConflict, "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN")
	default:
		p["status"], amount["cancelled"] = "CANCELLED", amount["total"]
		answer(w, http.StatusOK, object{"cancellation": object{
			"status": "SUCCEEDED", "id": "c",
			"totalAmount": amount["total"],
		}})
	}
}
