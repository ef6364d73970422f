package portone_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fakeV1 is PortOne's V1 as its documentation has it.
type fakeV1 struct {
	fake
	orders map[string][]object // the oldest payment first
	byID   map[string]object
	token  int           // the newest one's number
	ends   time.Time     // when it ends
	skew   time.Duration // PortOne's clock minus ours

	lists     int    // how many pages of what is paid were given
	afterList func() // after each of them
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
	case r.URL.Path == "/payments/status/paid":
		f.paid(r.URL.Query(), good, fail)
	case r.URL.Path == "/payments/status/all" && r.URL.Query().Get("limit") == "1":
		list := []object{} // PortOne leaves out those of test channels
		for _, p := range f.byID {
			if p["sandbox"] != true && len(list) == 0 {
				list = append(list, p)
			}
		}
		good(http.StatusOK, object{"total": len(f.byID), "previous": 0, "next": 0, "list": list})
	case r.URL.Path == "/payments/status/all" && r.URL.Query().Get("sorting") == "-updated":
		f.updated(r.URL.Query(), good, fail)
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

// paid lists what is paid, the first paid first. A list of 90 days at most is given,
// and no page behind the last one.
func (f *fakeV1) paid(query url.Values, good func(int, any), fail func(int, string)) {
	number := func(name string) int {
		n, _ := strconv.Atoi(query.Get(name))
		return n
	}
	from, to, page, limit := number("from"), number("to"), number("page"), number("limit")
	f.lists++
	var list []object
	for _, p := range f.byID {
		if at, _ := p["paid_at"].(int); p["status"] == "paid" && p["sandbox"] != true && from <= at && at <= to {
			list = append(list, p)
		}
	}
	if page < 1 || limit < 1 || limit > 1000 || query.Get("sorting") != "paid" || to-from > 90*24*3600 ||
		page > 1 && (page-1)*limit >= len(list) {
		fail(http.StatusBadRequest, "from, to, page, limit, sorting")
		return
	}
	slices.SortFunc(list, func(a, b object) int {
		return cmp.Or(cmp.Compare(a["paid_at"].(int), b["paid_at"].(int)),
			strings.Compare(a["imp_uid"].(string), b["imp_uid"].(string)))
	})
	good(http.StatusOK, object{
		"total": len(list), "previous": page - 1, "next": 0,
		"list": list[(page-1)*limit : min(page*limit, len(list))],
	})
	if f.afterList != nil {
		f.afterList()
	}
}

// updated lists all, those with the greatest ids as what has changed last.
func (f *fakeV1) updated(query url.Values, good func(int, any), fail func(int, string)) {
	page, _ := strconv.Atoi(query.Get("page"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	ids := slices.Sorted(maps.Keys(f.byID))
	slices.Reverse(ids)
	if page < 1 || limit < 1 || limit > 1000 || page > 1 && (page-1)*limit >= len(ids) {
		fail(http.StatusBadRequest, "page, limit")
		return
	}
	list := []object{}
	for _, id := range ids[(page-1)*limit : min(page*limit, len(ids))] {
		list = append(list, f.byID[id])
	}
	good(http.StatusOK, object{"total": len(ids), "previous": page - 1, "next": 0, "list": list})
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
