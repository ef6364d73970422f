package portonesim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	tokenLife   = 30 * time.Minute
	tokenMore   = 5 * time.Minute // added where it is asked for in its last minute
	v1Bulk      = 100             // attempts that one call may ask for
	v1Page      = 20
	v1MaxPage   = 1000
	v1NoPayment = "존재하지 않는 결제정보입니다."
	statusDays  = 90
)

// token is V1's access token: everybody is given the same one while it is good.
type token struct {
	value  string
	number int
	ends   time.Time
}

// v1 is V1's REST API.
func (s *Sim) v1() http.Handler {
	payments := http.NewServeMux()
	payments.HandleFunc("GET /payments/{imp_uid}", s.v1Payment)
	payments.HandleFunc("GET /payments", s.v1Payments)
	payments.HandleFunc("GET /payments/status/{status}", s.v1ByStatus)
	for _, ending := range []string{"", "/{$}", "/{status}", "/{status}/{$}"} {
		payments.HandleFunc("GET /payments/findAll/{merchant_uid}"+ending, s.v1FindAll)
		payments.HandleFunc("GET /payments/find/{merchant_uid}"+ending, s.v1Find)
	}
	payments.HandleFunc("POST /payments/cancel", s.v1Cancel)
	payments.HandleFunc("POST /payments/prepare", s.v1Prepare)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /users/getToken", s.v1Token)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		sent := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") // V1 takes it with and without
		if !s.tokenGood(sent) {
			refuse1(w, http.StatusUnauthorized, -1, "Unauthorized")
			return
		}
		payments.ServeHTTP(w, r)
	})
	return mux
}

func good1(w http.ResponseWriter, status int, response any) {
	answer(w, status, object{"code": 0, "message": nil, "response": response})
}

func refuse1(w http.ResponseWriter, status, code int, message string) {
	answer(w, status, object{"code": code, "message": message, "response": nil})
}

func (s *Sim) v1Token(w http.ResponseWriter, r *http.Request) {
	ask, err := fields(r)
	if err != nil || ask["imp_key"] != s.opt.V1Key || ask["imp_secret"] != s.opt.V1Secret {
		refuse1(w, http.StatusUnauthorized, -1, "인증에 실패하였습니다. API키와 secret을 확인하세요.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opt.Now()
	switch left := s.token.ends.Sub(now); {
	case left <= 0:
		number := s.token.number + 1
		sum := s.hash("token", strconv.Itoa(number))
		s.token = token{value: fmt.Sprintf("%x", sum[:20]), number: number, ends: now.Add(tokenLife)}
	case left <= time.Minute:
		s.token.ends = s.token.ends.Add(tokenMore)
	}
	good1(w, http.StatusOK, object{"access_token": s.token.value, "expired_at": s.token.ends.Unix(), "now": now.Unix()})
}

func (s *Sim) tokenGood(sent string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sent != "" && sent == s.token.value && s.opt.Now().Before(s.token.ends)
}

// shown reports whether a payment is V1's to show.
func shown(p *record, r *http.Request) bool {
	return p != nil && p.order.Version == 1 && (!p.test || r.URL.Query().Get("include_sandbox") == "true")
}

func (s *Sim) v1Payment(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.book.byAttempt[r.PathValue("imp_uid")]
	if !shown(p, r) {
		refuse1(w, http.StatusNotFound, -1, v1NoPayment)
		return
	}
	good1(w, http.StatusOK, p.v1View())
}

func (s *Sim) v1Payments(w http.ResponseWriter, r *http.Request) {
	attempts := r.URL.Query()["imp_uid[]"]
	if len(attempts) == 0 || len(attempts) > v1Bulk {
		refuse1(w, http.StatusBadRequest, -1, "imp_uid[]는 1건부터 100건까지 조회할 수 있습니다.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []object
	for _, attempt := range attempts {
		if p := s.book.byAttempt[attempt]; shown(p, r) {
			list = append(list, p.v1View())
		}
	}
	switch len(list) {
	case 0:
		refuse1(w, http.StatusNotFound, -1, v1NoPayment)
	case len(attempts):
		good1(w, http.StatusOK, list)
	default:
		good1(w, http.StatusMultiStatus, list)
	}
}

// v1FindAll lists an order's payments, test payments among them.
func (s *Sim) v1FindAll(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.ordered(r)
	switch {
	case err != nil:
		refuse1(w, http.StatusBadRequest, -1, err.Error())
	case len(list) == 0:
		refuse1(w, http.StatusNotFound, -1, v1NoPayment)
	default:
		paged1(w, r, list)
	}
}

// v1Find returns the newest of an order's payments.
func (s *Sim) v1Find(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.ordered(r)
	switch {
	case err != nil:
		refuse1(w, http.StatusBadRequest, -1, err.Error())
	case len(list) == 0:
		refuse1(w, http.StatusNotFound, -1, v1NoPayment)
	default:
		good1(w, http.StatusOK, list[0].v1View())
	}
}

// ordered returns the payments of the order and status in a path, sorted.
func (s *Sim) ordered(r *http.Request) ([]*record, error) {
	status := r.PathValue("status")
	if !slices.Contains([]string{"", "ready", "paid", "failed", "cancelled"}, status) {
		return nil, fmt.Errorf("payment_status %q", status)
	}
	list := slices.DeleteFunc(slices.Clone(s.book.byOrder["1 "+r.PathValue("merchant_uid")]), func(p *record) bool {
		return status != "" && p.state.v1() != status
	})
	return list, sorted1(list, r)
}

func (s *Sim) v1ByStatus(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := r.PathValue("status")
	if !slices.Contains([]string{"all", "ready", "paid", "failed", "cancelled"}, status) {
		refuse1(w, http.StatusBadRequest, -1, "유효하지 않은 payment_status입니다.")
		return
	}
	to := unix(r.URL.Query().Get("to"), s.opt.Now())
	from := unix(r.URL.Query().Get("from"), to.AddDate(0, 0, -statusDays))
	if to.Sub(from) > (statusDays*24+1)*time.Hour {
		refuse1(w, http.StatusBadRequest, -1, "검색기간은 최대 90일입니다.")
		return
	}
	var list []*record
	for _, p := range s.book.all {
		at := p.reached().Truncate(time.Second)
		if p.fate != invented && shown(p, r) && (status == "all" || p.state.v1() == status) && !at.Before(from) && !at.After(to) {
			list = append(list, p)
		}
	}
	if err := sorted1(list, r); err != nil {
		refuse1(w, http.StatusBadRequest, -1, err.Error())
		return
	}
	paged1(w, r, list)
}

func unix(text string, otherwise time.Time) time.Time {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(seconds, 0)
	}
	return otherwise
}

// sorted1 sorts by what the call asks for; the newest come first otherwise.
func sorted1(list []*record, r *http.Request) error {
	sorting := cmp.Or(r.URL.Query().Get("sorting"), "-started")
	by := map[string]func(*record) time.Time{
		"started": func(p *record) time.Time { return p.started },
		"paid":    func(p *record) time.Time { return p.paidAt },
		"updated": func(p *record) time.Time { return p.changed },
	}[strings.TrimPrefix(sorting, "-")]
	if by == nil {
		return fmt.Errorf("sorting %q", sorting)
	}
	slices.SortStableFunc(list, func(a, b *record) int {
		return cmp.Or(by(a).Compare(by(b)), cmp.Compare(a.number, b.number))
	})
	if sorting[0] == '-' {
		slices.Reverse(list)
	}
	return nil
}

func paged1(w http.ResponseWriter, r *http.Request, list []*record) {
	number, err1 := strconv.Atoi(cmp.Or(r.URL.Query().Get("page"), "1"))
	limit, err2 := strconv.Atoi(cmp.Or(r.URL.Query().Get("limit"), strconv.Itoa(v1Page)))
	if errors.Join(err1, err2) != nil || number < 1 || limit < 1 || limit > v1MaxPage || number > 1 && (number-1)*limit >= len(list) {
		refuse1(w, http.StatusBadRequest, -1, "page 또는 limit이 올바르지 않습니다.")
		return
	}
	next := number + 1
	if number*limit >= len(list) {
		next = 0
	}
	views := []object{}
	for _, p := range page(list, number-1, limit) {
		views = append(views, p.v1View())
	}
	good1(w, http.StatusOK, object{"total": len(list), "previous": number - 1, "next": next, "list": views})
}

func (s *Sim) v1Cancel(w http.ResponseWriter, r *http.Request) {
	ask, err := fields(r)
	amount, balance, errNumber := amounts(ask)
	p := s.cancellable(ask["imp_uid"], ask["merchant_uid"])
	switch {
	case errors.Join(err, errNumber) != nil:
		refuse1(w, http.StatusBadRequest, -1, "요청이 올바르지 않습니다.")
		return
	case p == nil:
		refuse1(w, http.StatusOK, 1, "취소할 결제건이 존재하지 않습니다.")
		return
	}
	s.slowly(p)
	if _, err = s.cancel(p, amount, balance, ask["reason"], ask["enable_webhook"] == "true"); err != nil {
		refuse1(w, http.StatusOK, 1, map[error]string{
			errCancelled: "이미 전액취소된 주문입니다.",
			errNotPaid:   "결제가 완료되지 않은 주문입니다.",
			errBalance:   "취소가능금액이 일치하지 않습니다.",
			errTooMuch:   "취소요청금액이 취소가능금액보다 큽니다.",
		}[err])
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	good1(w, http.StatusOK, p.v1View())
}

// cancellable returns the payment that is named: by its imp_uid where there is
// one, else the order's that was paid, or its newest.
func (s *Sim) cancellable(attempt, order string) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.book.byAttempt[attempt]
	if attempt == "" {
		p = s.book.newest("1 " + order)
	}
	if p == nil || p.order.Version != 1 {
		return nil
	}
	return p
}

// slowly waits where the plan has a cancellation take its time, whether or not
// whoever asked for it still listens.
func (s *Sim) slowly(p *record) {
	if s.chance(s.opt.Plan.SlowApprovals, p, "slow cancel") {
		s.pause(s.opt.Plan.SlowBy)
	}
}

func (s *Sim) v1Prepare(w http.ResponseWriter, r *http.Request) {
	ask, err := fields(r)
	amount, _, errNumber := amounts(ask)
	if errors.Join(err, errNumber) != nil || ask["merchant_uid"] == "" || amount <= 0 {
		refuse1(w, http.StatusBadRequest, -1, "merchant_uid와 amount는 필수입니다.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := Order{Version: 1, ID: ask["merchant_uid"]}.key()
	if _, known := s.book.prepared[key]; known {
		refuse1(w, http.StatusOK, 1, "이미 등록된 merchant_uid입니다.")
		return
	}
	s.book.prepared[key] = prepared{amount: amount, currency: ask["currency"]}
	good1(w, http.StatusOK, object{"merchant_uid": ask["merchant_uid"], "amount": amount})
}

// fields reads a body of V1's, which may be JSON or a form.
func fields(r *http.Request) (map[string]string, error) {
	values := map[string]string{}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		err := r.ParseForm()
		for name := range r.PostForm {
			values[name] = r.PostForm.Get(name)
		}
		return values, err
	}
	var body object
	decoder := json.NewDecoder(r.Body)
	decoder.UseNumber()
	err := decoder.Decode(&body)
	for name, value := range body {
		if value != nil {
			values[name] = fmt.Sprint(value)
		}
	}
	return values, err
}

// amounts reads amount, 0 where it is missing, and checksum, nil where it is.
func amounts(ask map[string]string) (amount int64, balance *int64, err error) {
	if text := ask["amount"]; text != "" {
		if amount, err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, nil, err
		}
	}
	if text := ask["checksum"]; text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		return amount, &n, err
	}
	return amount, nil, nil
}
