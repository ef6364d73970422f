package portonesim

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	v1Bulk     = 100 // payments that one call may name
	v1Page     = 20
	v1MaxPage  = 1000
	statusDays = 90
)

// v1Payment is the only look-up that shows test payments where it is told to.
func (s *Sim) v1Payment(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.attempt1(r.PathValue("imp_uid"))
	if p == nil || p.order.Test && r.URL.Query().Get("include_sandbox") != "true" {
		refuse1(w, http.StatusNotFound, -1, v1NoPayment)
		return
	}
	good1(w, http.StatusOK, p.v1View())
}

// attempt1 returns the payment of an imp_uid; nil for none.
func (s *Sim) attempt1(attempt string) *record {
	if p := s.book.byAttempt[attempt]; p != nil && p.order.Version == 1 {
		return p
	}
	return nil
}

// v1Part shows what there is of a payment: its balance.
func (s *Sim) v1Part(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("part") != "balance" {
		v1Missing(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.attempt1(r.PathValue("imp_uid"))
	if p == nil {
		refuse1(w, http.StatusNotFound, -1, v1NoPayment)
		return
	}
	good1(w, http.StatusOK, p.v1Balance())
}

// v1Payments lists payments of live channels by imp_uid and merchant_uid.
func (s *Sim) v1Payments(w http.ResponseWriter, r *http.Request) {
	attempts, orders := r.URL.Query()["imp_uid[]"], r.URL.Query()["merchant_uid[]"]
	named := len(attempts) + len(orders)
	if named == 0 || named > v1Bulk {
		refuse1(w, http.StatusBadRequest, -1, "imp_uid[], merchant_uid[]는 1건부터 100건까지 조회할 수 있습니다.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*record
	for _, attempt := range attempts {
		list = append(list, s.attempt1(attempt))
	}
	for _, order := range orders {
		list = append(list, s.book.newest(key1(order)))
	}
	list = slices.DeleteFunc(list, func(p *record) bool { return p == nil || p.order.Test })
	switch len(list) {
	case 0:
		refuse1(w, http.StatusNotFound, -1, v1NoPayment)
	case named:
		good1(w, http.StatusOK, views1(list))
	default:
		good1(w, http.StatusMultiStatus, views1(list))
	}
}

func views1(list []*record) []object {
	views := []object{}
	for _, p := range list {
		views = append(views, p.v1View())
	}
	return views
}

// v1FindAll lists an order's payments, test payments among them.
func (s *Sim) v1FindAll(w http.ResponseWriter, r *http.Request) {
	s.ordered(w, r, func(list []*record) { paged1(w, r, list) })
}

// v1Find returns the newest of an order's payments.
func (s *Sim) v1Find(w http.ResponseWriter, r *http.Request) {
	s.ordered(w, r, func(list []*record) { good1(w, http.StatusOK, list[0].v1View()) })
}

// ordered shows the payments of the order and status in a path, sorted.
func (s *Sim) ordered(w http.ResponseWriter, r *http.Request, show func([]*record)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := r.PathValue("status")
	list := slices.DeleteFunc(slices.Clone(s.book.byOrder[key1(r.PathValue("merchant_uid"))]), func(p *record) bool {
		return status != "" && p.state.v1() != status
	})
	switch err := sorted1(list, r); {
	case status != "" && !status1(status):
		refuse1(w, http.StatusBadRequest, -1, "유효하지 않은 payment_status입니다.")
	case err != nil:
		refuse1(w, http.StatusBadRequest, -1, err.Error())
	case len(list) == 0:
		refuse1(w, http.StatusNotFound, -1, v1NoPayment)
	default:
		show(list)
	}
}

func status1(status string) bool {
	return slices.Contains([]string{"ready", "paid", "failed", "cancelled"}, status)
}

// v1ByStatus lists the payments of live channels that came into their status
// within at most 90 days.
func (s *Sim) v1ByStatus(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := r.PathValue("status")
	if status != "all" && !status1(status) {
		refuse1(w, http.StatusBadRequest, -1, "유효하지 않은 payment_status입니다.")
		return
	}
	to, err1 := unix(r.URL.Query().Get("to"), s.deps.Now())
	from, err2 := unix(r.URL.Query().Get("from"), to.AddDate(0, 0, -statusDays))
	if errors.Join(err1, err2) != nil || to.Sub(from) > (statusDays*24+1)*time.Hour {
		refuse1(w, http.StatusBadRequest, -1, "검색기간은 최대 90일입니다.")
		return
	}
	var list []*record
	for _, p := range s.book.all {
		at := p.v1Time().Truncate(time.Second)
		if p.fate != invented && p.order.Version == 1 && !p.order.Test &&
			(status == "all" || p.state.v1() == status) && !at.Before(from) && !at.After(to) {
			list = append(list, p)
		}
	}
	if err := sorted1(list, r); err != nil {
		refuse1(w, http.StatusBadRequest, -1, err.Error())
		return
	}
	paged1(w, r, list)
}

func unix(text string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err
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
	if errors.Join(err1, err2) != nil || number < 1 || limit < 1 || limit > v1MaxPage ||
		number > 1 && (number-1)*limit >= len(list) {
		refuse1(w, http.StatusBadRequest, -1, "page 또는 limit이 올바르지 않습니다.")
		return
	}
	next := number + 1
	if number*limit >= len(list) {
		next = 0
	}
	good1(w, http.StatusOK, object{
		"total": len(list), "previous": number - 1, "next": next, "list": views1(page(list, number-1, limit)),
	})
}
