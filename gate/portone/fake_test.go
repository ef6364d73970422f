package portone_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate/portone"
)

// The credentials of the fakes. None may ever be seen in an error or a log.
const (
	fakeKey    = "KEY-7781"
	fakeSecret = "SECRET-3f9a"
	fakeToken  = "TOKEN-c0de"
)

// object is a JSON object of PortOne's.
type object = map[string]any

// fake is what both fakes of PortOne have: a record of the calls, and faults that
// come before the answer.
type fake struct {
	mu       sync.Mutex
	calls    []string // "GET /payments/imp_1?include_sandbox=true", unescaped
	began    []time.Time
	now, top int           // calls under way, now and at most
	latency  time.Duration // of each answer
	fault    func(w http.ResponseWriter, r *http.Request) bool
}

// begin records a call, waits, and reports whether the answer is already given.
func (f *fake) begin(w http.ResponseWriter, r *http.Request) (done bool) {
	f.mu.Lock()
	uri, _ := url.PathUnescape(r.URL.EscapedPath())
	if r.URL.RawQuery != "" {
		query, _ := url.QueryUnescape(r.URL.RawQuery)
		uri += "?" + query
	}
	f.calls = append(f.calls, r.Method+" "+uri)
	f.began = append(f.began, time.Now())
	f.now++
	f.top = max(f.top, f.now)
	fault, latency := f.fault, f.latency
	f.mu.Unlock()
	if latency > 0 {
		select {
		case <-time.After(latency):
		case <-r.Context().Done():
		}
	}
	f.mu.Lock()
	f.now--
	f.mu.Unlock()
	return fault != nil && fault(w, r)
}

// called returns how many calls had the given prefix.
func (f *fake) called(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(f.calls), func(c string) bool { return !strings.HasPrefix(c, prefix) }))
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// fakeV1 is PortOne's V1 as its documentation has it.
type fakeV1 struct {
	fake
	orders map[string][]object // the oldest payment first
	byID   map[string]object
	token  int           // the newest one's number
	ends   time.Time     // when it ends
	skew   time.Duration // PortOne's clock minus ours
}

func newFakeV1(payments ...object) *fakeV1 {
	f := &fakeV1{orders: map[string][]object{}, byID: map[string]object{}}
	for _, p := range payments {
		f.add(p)
	}
	return f
}

func (f *fakeV1) add(p object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	order := p["merchant_uid"].(string)
	f.orders[order] = append(f.orders[order], p)
	f.byID[p["imp_uid"].(string)] = p
}

// v1Payment is a payment as V1 shows it, with personal data as V1 has it.
func v1Payment(impUID, merchantUID, status string, more ...object) object {
	p := object{
		"imp_uid": impUID, "merchant_uid": merchantUID, "status": status, "amount": 110000, "cancel_amount": 0,
		"currency": "KRW", "sandbox": false, "vbank_date": 0, "vbank_issued_at": 0, "pay_method": "card",
		"buyer_name": "김철수", "buyer_tel": "010-0000-0000", "fail_reason": nil, "cancel_history": []any{},
	}
	for _, m := range more {
		for name, value := range m {
			p[name] = value
		}
	}
	return p
}

func (f *fakeV1) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.begin(w, r) {
		return
	}
	fail := func(status int, message string) {
		answer(w, status, object{"code": -1, "message": message, "response": nil})
	}
	good := func(status int, response any) {
		answer(w, status, object{"code": 0, "message": nil, "response": response})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now().Add(f.skew)
	if r.URL.Path == "/users/getToken" && r.Method == http.MethodPost {
		var ask struct {
			Key    string `json:"imp_key"`
			Secret string `json:"imp_secret"`
		}
		if json.NewDecoder(r.Body).Decode(&ask) != nil || ask.Key != fakeKey || ask.Secret != fakeSecret {
			fail(http.StatusUnauthorized, "인증에 실패하였습니다. API키와 secret을 확인하세요. "+ask.Secret)
			return
		}
		switch left := f.ends.Sub(now); {
		case left <= 0:
			f.token++
			f.ends = now.Add(30 * time.Minute)
		case left <= time.Minute:
			f.ends = f.ends.Add(5 * time.Minute)
		}
		good(http.StatusOK, object{"access_token": f.current(), "expired_at": f.ends.Unix(), "now": now.Unix()})
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+f.current() || !now.Before(f.ends) {
		fail(http.StatusUnauthorized, "Unauthorized "+r.Header.Get("Authorization"))
		return
	}
	order, isOrder := strings.CutPrefix(r.URL.Path, "/payments/findAll/")
	switch {
	case r.URL.Path == "/payments/cancel" && r.Method == http.MethodPost:
		f.cancel(r, good, fail)
	case isOrder && strings.HasSuffix(order, "/"):
		f.findAll(strings.TrimSuffix(order, "/"), r.URL.Query(), good, fail)
	case r.URL.Path == "/payments":
		f.bulk(r.URL.Query()["imp_uid[]"], good, fail)
	default:
		p, ok := f.byID[strings.TrimPrefix(r.URL.Path, "/payments/")]
		if !ok || p["sandbox"] == true && r.URL.Query().Get("include_sandbox") != "true" {
			fail(http.StatusNotFound, "존재하지 않는 결제정보입니다.")
			return
		}
		good(http.StatusOK, p)
	}
}

func (f *fakeV1) current() string { return fakeToken + "-" + strconv.Itoa(f.token) }

func (f *fakeV1) bulk(attempts []string, good func(int, any), fail func(int, string)) {
	if len(attempts) > 100 {
		fail(http.StatusBadRequest, "최대 100건까지 조회할 수 있습니다.")
		return
	}
	var list []object
	for _, attempt := range attempts {
		if p, ok := f.byID[attempt]; ok && p["sandbox"] != true {
			list = append(list, p)
		}
	}
	switch len(list) {
	case 0:
		fail(http.StatusNotFound, "존재하지 않는 결제정보입니다.")
	case len(attempts):
		good(http.StatusOK, list)
	default:
		good(http.StatusMultiStatus, list)
	}
}

func (f *fakeV1) findAll(order string, query url.Values, good func(int, any), fail func(int, string)) {
	list := slices.Clone(f.orders[order])
	slices.Reverse(list)
	if len(list) == 0 {
		fail(http.StatusNotFound, "존재하지 않는 결제정보입니다.")
		return
	}
	page, _ := strconv.Atoi(query.Get("page"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	if page < 1 || limit < 1 || limit > 1000 {
		fail(http.StatusBadRequest, "page, limit")
		return
	}
	total, next := len(list), page+1
	if page*limit >= total {
		next = 0
	}
	list = list[min((page-1)*limit, total):min(page*limit, total)]
	good(http.StatusOK, object{"total": total, "previous": page - 1, "next": next, "list": list})
}

func (f *fakeV1) cancel(r *http.Request, good func(int, any), fail func(int, string)) {
	var ask struct {
		ImpUID   string `json:"imp_uid"`
		Checksum *int   `json:"checksum"`
		Amount   int    `json:"amount"`
		Reason   string `json:"reason"`
	}
	if json.NewDecoder(r.Body).Decode(&ask) != nil {
		fail(http.StatusBadRequest, "JSON")
		return
	}
	p, ok := f.byID[ask.ImpUID]
	if !ok {
		fail(http.StatusOK, "취소할 결제건이 존재하지 않습니다.")
		return
	}
	amount, cancelled := p["amount"].(int), p["cancel_amount"].(int)
	switch {
	case p["status"] != "paid":
		fail(http.StatusOK, "이미 전액취소된 주문입니다.")
		return
	case ask.Checksum != nil && *ask.Checksum != amount-cancelled:
		fail(http.StatusOK, "취소가능금액이 일치하지 않습니다.")
		return
	}
	p["status"], p["cancel_amount"], p["cancel_reason"] = "cancelled", amount, ask.Reason
	good(http.StatusOK, p)
}

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
		ask.Filter.TimestampType != "CREATED_AT" || ask.Filter.SortBy != "REQUESTED_AT" || ask.Filter.SortOrder != "ASC" {
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
	answer(w, http.StatusOK, object{"items": page, "page": object{"number": ask.Page.Number, "size": ask.Page.Size, "totalCount": len(page)}})
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
		answer(w, http.StatusOK, object{"cancellation": object{"status": "SUCCEEDED", "id": "c", "totalAmount": amount["total"]}})
	}
}

// direct is a transport to a handler without a network, so that time can be a
// test's own.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	inner := r.Clone(r.Context())
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	inner.RequestURI = r.URL.RequestURI()
	d.handler.ServeHTTP(recorder, inner)
	if err := context.Cause(r.Context()); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// options for a client of the fakes; the rate is out of the way.
func options() portone.Options {
	return portone.Options{
		Rate:    10_000,
		Metrics: portone.NewMetrics(prometheus.NewRegistry()),
		Now:     time.Now,
		Log:     slog.New(slog.DiscardHandler),
	}
}

// serve returns a client of servers that answer with the given handlers; nil is none.
func serve(t *testing.T, one, two http.Handler, change ...func(*portone.Options)) *portone.Client {
	t.Helper()
	opt := options()
	address := func(h http.Handler) string {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return server.URL
	}
	if one != nil {
		opt.V1 = portone.V1Options{BaseURL: address(one), Key: fakeKey, Secret: fakeSecret}
	}
	if two != nil {
		opt.V2 = portone.V2Options{BaseURL: address(two), Secret: fakeSecret}
	}
	for _, c := range change {
		c(&opt)
	}
	return newClient(t, opt)
}

func newClient(t *testing.T, opt portone.Options) *portone.Client {
	t.Helper()
	c, err := portone.NewClient(opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// atDirect returns a client of the handlers without a network between.
func atDirect(t *testing.T, one, two http.Handler, change ...func(*portone.Options)) *portone.Client {
	t.Helper()
	opt := options()
	opt.V1 = portone.V1Options{BaseURL: "http://one.test", Key: fakeKey, Secret: fakeSecret}
	opt.V2 = portone.V2Options{BaseURL: "http://two.test", Secret: fakeSecret}
	opt.Transport = direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host == "one.test" {
			one.ServeHTTP(w, r)
		} else {
			two.ServeHTTP(w, r)
		}
	})}
	for _, c := range change {
		c(&opt)
	}
	return newClient(t, opt)
}
