package portonesim

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	v2Page       = 10
	v2MaxPage    = 1000
	v2MaxListed  = 60_000 // payments that one list can be paged through
	v2ListedDays = 90
)

// v2 is V2's REST API.
func (s *Sim) v2() http.Handler {
	payments := http.NewServeMux()
	payments.HandleFunc("GET /payments", s.v2List)
	payments.HandleFunc("GET /payments/{id}", s.v2Payment)
	payments.HandleFunc("GET /payments/{id}/transactions", s.v2Transactions)
	for name, do := range map[string]write{
		"cancel": s.v2Cancel, "confirm": s.v2Confirm, "pre-register": s.v2PreRegister, "resend-webhook": s.v2Resend,
	} {
		payments.HandleFunc("POST /payments/{id}/"+name, s.once(do))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		store := r.URL.Query().Get("storeId")
		switch {
		case secret == "" || secret != s.opt.V2Secret:
			refuse2(w, http.StatusUnauthorized, "UNAUTHORIZED", "인증 정보가 올바르지 않습니다.")
		case store != "" && store != StoreID:
			refuse2(w, http.StatusForbidden, "FORBIDDEN", "요청이 거절되었습니다.")
		default:
			payments.ServeHTTP(w, r)
		}
	})
}

func refuse2(w http.ResponseWriter, status int, kind, message string) {
	answer(w, status, object{"type": kind, "message": message})
}

func (s *Sim) v2Payment(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.book.newest("2 " + r.PathValue("id")); p != nil {
		answer(w, http.StatusOK, p.v2View())
		return
	}
	refuse2(w, http.StatusNotFound, "PAYMENT_NOT_FOUND", "결제 건이 존재하지 않습니다.")
}

func (s *Sim) v2Transactions(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []object{}
	for _, p := range s.book.byOrder["2 "+r.PathValue("id")] {
		items = append(items, p.v2Transaction())
	}
	if len(items) == 0 {
		refuse2(w, http.StatusNotFound, "PAYMENT_NOT_FOUND", "결제 건이 존재하지 않습니다.")
		return
	}
	answer(w, http.StatusOK, object{"items": items})
}

// v2Query is what a list of payments is asked for.
type v2Query struct {
	Page struct {
		Number int `json:"number"`
		Size   int `json:"size"`
	} `json:"page"`
	Filter struct {
		StoreID       string    `json:"storeId"`
		Version       string    `json:"version"`
		TimestampType string    `json:"timestampType"`
		From          time.Time `json:"from"`
		Until         time.Time `json:"until"`
		Status        []string  `json:"status"`
		IsTest        *bool     `json:"isTest"`
		SortBy        string    `json:"sortBy"`
		SortOrder     string    `json:"sortOrder"`
	} `json:"filter"`
}

func (q *v2Query) read(text string, now time.Time) error {
	q.Page.Size = v2Page
	if text != "" {
		if err := json.Unmarshal([]byte(text), q); err != nil {
			return err
		}
	}
	f := &q.Filter
	if f.Until.IsZero() {
		f.Until = now
	}
	if f.From.IsZero() {
		f.From = f.Until.AddDate(0, 0, -v2ListedDays)
	}
	f.TimestampType, f.SortBy = cmp.Or(f.TimestampType, "STATUS_CHANGED_AT"), cmp.Or(f.SortBy, "REQUESTED_AT")
	f.SortOrder = cmp.Or(f.SortOrder, "DESC")
	switch {
	case q.Page.Number < 0 || q.Page.Size < 1 || q.Page.Size > v2MaxPage || (q.Page.Number+1)*q.Page.Size > v2MaxListed:
		return errors.New("page")
	case f.TimestampType != "CREATED_AT" && f.TimestampType != "STATUS_CHANGED_AT":
		return errors.New("timestampType")
	case f.SortBy != "REQUESTED_AT" && f.SortBy != "STATUS_CHANGED_AT", f.SortOrder != "ASC" && f.SortOrder != "DESC":
		return errors.New("sortBy, sortOrder")
	}
	return nil
}

func (q *v2Query) wants(r *record) bool {
	f, at := &q.Filter, r.reached()
	if f.TimestampType == "CREATED_AT" {
		at = r.started
	}
	return r.order.Version == 2 && (f.Version == "" || f.Version == "V2") &&
		!at.Before(f.From) && !at.After(f.Until) &&
		(len(f.Status) == 0 || slices.ContainsFunc(f.Status, r.hasV2Status)) && (f.IsTest == nil || *f.IsTest == r.test)
}

func (s *Sim) v2List(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var q v2Query
	if err := q.read(r.URL.Query().Get("requestBody"), s.opt.Now()); err != nil {
		refuse2(w, http.StatusBadRequest, "INVALID_REQUEST", "요청이 올바르지 않습니다: "+err.Error())
		return
	}
	if q.Filter.StoreID != "" && q.Filter.StoreID != StoreID {
		refuse2(w, http.StatusForbidden, "FORBIDDEN", "요청이 거절되었습니다.")
		return
	}
	var list []*record
	for _, p := range s.book.all {
		if key := p.order.key(); s.book.newest(key) == p && q.wants(p) {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b *record) int {
		if q.Filter.SortBy == "REQUESTED_AT" {
			return a.started.Compare(b.started)
		}
		return a.reached().Compare(b.reached())
	})
	if q.Filter.SortOrder == "DESC" {
		slices.Reverse(list)
	}
	items := []object{}
	for _, p := range page(list, q.Page.Number, q.Page.Size) {
		items = append(items, p.v2View())
	}
	answer(w, http.StatusOK, object{
		"items": items, "page": object{"number": q.Page.Number, "size": q.Page.Size, "totalCount": len(list)},
	})
}
