package portonesim

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	v2Page       = 10
	v2MaxPage    = 1000
	v2MaxListed  = 60_000 // payments that one list can be paged through
	v2ListedDays = 90
)

// v2Query is what a list of payments is asked for.
type v2Query struct {
	Page struct {
		Number int  `json:"number"`
		Size   *int `json:"size"`
	} `json:"page"`
	Filter struct {
		StoreID       string    `json:"storeId"`
		Version       string    `json:"version"`
		TimestampType string    `json:"timestampType"`
		From          time.Time `json:"from"`
		Until         time.Time `json:"until"`
		Status        []string  `json:"status"`
		IsTest        *bool     `json:"isTest"`
		Currency      string    `json:"currency"`
		SortBy        string    `json:"sortBy"`
		SortOrder     string    `json:"sortOrder"`
	} `json:"filter"`
}

// between fills in what a call leaves out of the time that it asks for.
func between(from, until *time.Time, now time.Time) {
	if until.IsZero() {
		*until = now
	}
	if from.IsZero() {
		*from = until.AddDate(0, 0, -v2ListedDays)
	}
}

// read2Query reads what the query of a GET has in requestBody.
func read2Query(r *http.Request, ask any) error {
	if text := r.URL.Query().Get("requestBody"); text != "" {
		return json.Unmarshal([]byte(text), ask)
	}
	return nil
}

// complete fills in what may be left out, and says what is wrong.
func (q *v2Query) complete(now time.Time) error {
	if q.Page.Size == nil {
		size := v2Page
		q.Page.Size = &size
	}
	f := &q.Filter
	between(&f.From, &f.Until, now)
	f.TimestampType, f.SortBy = cmp.Or(f.TimestampType, "STATUS_CHANGED_AT"), cmp.Or(f.SortBy, "REQUESTED_AT")
	f.SortOrder = cmp.Or(f.SortOrder, "DESC")
	size := *q.Page.Size
	switch {
	case q.Page.Number < 0 || size < 1 || size > v2MaxPage || (q.Page.Number+1)*size > v2MaxListed:
		return errors.New("page")
	case f.TimestampType != "CREATED_AT" && f.TimestampType != "STATUS_CHANGED_AT":
		return errors.New("timestampType")
	case f.SortBy != "REQUESTED_AT" && f.SortBy != "STATUS_CHANGED_AT", f.SortOrder != "ASC" && f.SortOrder != "DESC":
		return errors.New("sortBy, sortOrder")
	case f.Version != "" && f.Version != "V1" && f.Version != "V2":
		return errors.New("version")
	}
	for _, status := range f.Status {
		if !slices.Contains([]string{
			"READY", "PENDING", "VIRTUAL_ACCOUNT_ISSUED", "PAID", "FAILED",
			"PARTIAL_CANCELLED", "CANCELLED",
		}, status) {
			return errors.New("status") // PAY_PENDING too, which is a payment's alone
		}
	}
	return nil
}

func (q *v2Query) wants(r *record) bool {
	f, at := &q.Filter, r.turned
	if f.TimestampType == "CREATED_AT" {
		at = r.started
	}
	return (f.Version == "" || f.Version == r.version()) && (f.StoreID == "" || f.StoreID == r.order.StoreID) &&
		!at.Before(f.From) && !at.After(f.Until) &&
		(len(f.Status) == 0 || slices.ContainsFunc(f.Status, r.hasV2Status)) &&
		(f.IsTest == nil || *f.IsTest == r.order.Test) && (f.Currency == "" || f.Currency == r.order.Currency)
}

// v2List lists the payments in all stores, or in one; those of V1 too unless the
// call wants V2's alone.
func (s *Sim) v2List(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var q v2Query
	err := read2Query(r, &q)
	if err == nil {
		err = q.complete(s.deps.Now())
	}
	if err != nil {
		refuse2(w, invalid2("요청이 올바르지 않습니다: "+err.Error()))
		return
	}
	if _, err := s.store(q.Filter.StoreID); err != nil {
		answer2(w, nil, err)
		return
	}
	list := slices.DeleteFunc(s.book.shown(), func(p *record) bool { return !q.wants(p) })
	slices.SortStableFunc(list, func(a, b *record) int {
		if q.Filter.SortBy == "REQUESTED_AT" {
			return a.started.Compare(b.started)
		}
		return a.turned.Compare(b.turned)
	})
	if q.Filter.SortOrder == "DESC" {
		slices.Reverse(list)
	}
	items := []object{}
	for _, p := range page(list, q.Page.Number, *q.Page.Size) {
		items = append(items, p.v2View())
	}
	answer(w, http.StatusOK, object{
		"items": items, "page": object{"number": q.Page.Number, "size": *q.Page.Size, "totalCount": len(list)},
	})
}

// listed is one of a list that is read by cursor.
type listed struct {
	cursor int // its place in the whole list, from 1
	store  string
	at     time.Time
	view   object
}

// v2ByCursor lists the payments of the secret's store, or of another, by when they were made.
func (s *Sim) v2ByCursor(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []listed
	for _, p := range s.book.shown() {
		all = append(all, listed{p.place, p.order.StoreID, p.started, object{"payment": p.v2View()}})
	}
	s.byCursor(w, r, StoreID, all)
}

// v2Events lists what has become of the payments of all stores, or of one, by when
// that was.
func (s *Sim) v2Events(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []listed
	for i, e := range s.book.events {
		all = append(all, listed{i + 1, e.r.order.StoreID, e.at, object{"paymentEvent": e.view}})
	}
	s.byCursor(w, r, "", all)
}

// byCursor answers with those of a list that come after the call's cursor. Where the
// call names no store, only those of a certain one are in it; all, where that is empty.
func (s *Sim) byCursor(w http.ResponseWriter, r *http.Request, store string, all []listed) {
	ask := struct {
		Cursor  string    `json:"cursor"`
		Size    int       `json:"size"`
		StoreID string    `json:"storeId"`
		From    time.Time `json:"from"`
		Until   time.Time `json:"until"`
	}{Size: v2Page}
	err := read2Query(r, &ask)
	after, errCursor := strconv.Atoi(cmp.Or(ask.Cursor, "0"))
	if errors.Join(err, errCursor) != nil || ask.Size < 1 || ask.Size > v2MaxPage {
		refuse2(w, invalid2("cursor 또는 size가 올바르지 않습니다."))
		return
	}
	if _, err := s.store(ask.StoreID); err != nil {
		answer2(w, nil, err)
		return
	}
	store = cmp.Or(ask.StoreID, store)
	between(&ask.From, &ask.Until, s.deps.Now())
	items := []object{}
	for _, l := range all {
		if len(items) < ask.Size && l.cursor > after && (store == "" || l.store == store) && !l.at.Before(ask.From) &&
			!l.at.After(ask.Until) {
			l.view["cursor"] = strconv.Itoa(l.cursor)
			items = append(items, l.view)
		}
	}
	answer(w, http.StatusOK, object{"items": items})
}
