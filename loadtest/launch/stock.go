package launch

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// entryView is a ledger entry as the admin API shows it.
type entryView struct {
	Seq      int64                `json:"seq"`
	Time     time.Time            `json:"time"` // by Redis' clock
	Kind     string               `json:"kind"`
	Units    map[string]UnitsView `json:"units"` // after it, of each SKU that it moved
	Orders   []changedView        `json:"orders"`
	Settings *settingsView        `json:"settings"` // where the entry changed them
}

// changedView is an order that an entry changed.
type changedView struct {
	Order    string `json:"order"`
	Revision int64  `json:"revision"`
}

// settingsView are an entry's settings.
type settingsView struct {
	SKUs []skuView `json:"skus"`
}

type skuView struct {
	Name string `json:"name"`
}

// ledger reads entries after the one with the given seq, and none at the ledger's
// end. A status other than 200 is returned without an error: a gate may have no
// such call.
func (a *Admin) ledger(ctx context.Context, sale string, since int64) (entries []entryView, status int, err error) {
	status, err = a.get(ctx, "/v1/sales/"+sale+"/ledger?since="+strconv.FormatInt(since, 10), &entries)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the ledger of sale %s from the admin API at %s: %w", sale, a.URL, err)
	}
	return entries, status, nil
}

// Level is how many units were left from a moment on.
type Level struct {
	At   float64 `json:"at_s"` // in seconds from the start of the run
	Left int64   `json:"left"`
}

// Stock is what Redis had left at each moment, by the sale's ledger.
type Stock struct {
	Missing string // why it is not known; empty where it is
	all     []level
	bySKU   map[string][]level
}

type level struct {
	at   time.Duration // from the start of the run
	left int64
}

// readStock reads what was left from the sale as it was before the run, and from
// each ledger entry since.
func (r *Run) readStock(ctx context.Context, j Judge, stories []told, after *SaleView) (*Stock, error) {
	var entries []entryView
	for since := j.Before.Seq; ; {
		page, status, err := j.Admin.ledger(ctx, r.Plan.opt.Sale, since)
		switch {
		case err != nil:
			return nil, err
		case status != http.StatusOK:
			return &Stock{Missing: fmt.Sprintf("the gate's admin API answered %d when asked for the ledger", status)},
				nil
		case len(page) == 0 && since < after.Seq:
			return &Stock{Missing: fmt.Sprintf("the ledger ends with entry %d, and the sale has come to %d", since,
				after.Seq)}, nil
		}
		for i := range page {
			e := &page[i]
			if e.Seq != since+1 && e.Kind != "create" && e.Kind != "delete" { // these begin a ledger
				return &Stock{Missing: fmt.Sprintf("entry %d of the ledger follows entry %d: those between are not "+
					"there any more", e.Seq, since)}, nil
			}
			since = e.Seq
		}
		entries = append(entries, page...)
		if since >= after.Seq {
			return r.stock(j.Before, stories, entries), nil
		}
	}
}

func (r *Run) stock(before *SaleView, stories []told, entries []entryView) *Stock {
	s := &Stock{bySKU: map[string][]level{}}
	left := map[string]int64{}
	for _, u := range before.SKUs {
		left[u.SKU] = u.Left
		s.bySKU[u.SKU] = []level{{0, u.Left}}
	}
	s.all = []level{{0, sum(left)}}
	ahead, at := r.ahead(stories, entries), time.Duration(0)
	for i := range entries {
		e := &entries[i]
		at = max(at, e.Time.Sub(r.began)-ahead) // never back, whatever a clock does
		if e.Kind == "create" || e.Kind == "delete" {
			s.keep(left, at, func(string) bool { return false })
		}
		for sku, units := range e.Units {
			left[sku] = units.Left
			s.bySKU[sku] = append(s.bySKU[sku], level{at, units.Left})
		}
		if e.Settings != nil {
			s.keep(left, at, func(sku string) bool {
				return slices.Contains(e.Settings.SKUs, skuView{sku})
			})
		}
		s.all = append(s.all, level{at, sum(left)})
	}
	return s
}

// keep drops the SKUs that are on sale no more: of these nothing is left.
func (s *Stock) keep(left map[string]int64, at time.Duration, listed func(sku string) bool) {
	for sku := range left {
		if !listed(sku) {
			delete(left, sku)
			s.bySKU[sku] = append(s.bySKU[sku], level{at, 0})
		}
	}
}

func sum(left map[string]int64) (all int64) {
	for _, n := range left {
		all += n
	}
	return all
}

// ahead is how far Redis' clock is ahead of this machine's, as far as it shows:
// an order is first recorded after it was sent, and before its 200 was there.
func (r *Run) ahead(stories []told, entries []entryView) time.Duration {
	byID := make(map[string]*told, len(stories))
	for i := range stories {
		if stories[i].accepted > 0 {
			byID[r.Plan.opt.orderID(stories[i].number)] = &stories[i]
		}
	}
	least, most := time.Duration(math.MinInt64), time.Duration(math.MaxInt64)
	for i := range entries {
		at := entries[i].Time.Sub(r.began)
		for _, o := range entries[i].Orders {
			if s := byID[o.Order]; s != nil && o.Revision == 1 {
				least = max(least, at-s.accepted)
				most = min(most, at-s.sent()+time.Millisecond) // the ledger's times are cut to milliseconds
			}
		}
	}
	if least > most { // a clock that was put meanwhile
		return least
	}
	return min(max(0, least), most)
}

// sent is when the order's first request went out.
func (s *told) sent() time.Duration {
	first := s.answers[0].sent
	for _, a := range s.answers {
		first = min(first, a.sent)
	}
	return first
}

// clockGrain is how exactly moments of the ledger and of this machine compare.
const clockGrain = 50 * time.Millisecond

// short reports whether at some moment from one to another less was left than the
// line wants.
func (s *Stock) short(l gate.Line, from, to time.Duration) bool {
	levels := s.bySKU[l.SKU]
	next, _ := slices.BinarySearchFunc(levels, from-clockGrain, func(v level, at time.Duration) int {
		if v.at <= at {
			return -1
		}
		return 1
	})
	for i := max(0, next-1); i < len(levels) && levels[i].at <= to+clockGrain; i++ {
		if levels[i].left < l.Quantity {
			return true
		}
	}
	return len(levels) == 0
}

// maxLevels is how many slices of time a long list of levels is cut into: finer
// than anybody sees.
const maxLevels = 1000

// Levels are all units that were left, whenever their number changed. Of a long
// list each slice of time keeps its lowest and its last.
func (s *Stock) Levels() []Level {
	if s == nil || len(s.all) == 0 {
		return nil
	}
	width := time.Duration(1)
	if len(s.all) > 2*maxLevels {
		width = s.all[len(s.all)-1].at/maxLevels + 1
	}
	var levels []Level
	add := func(v level) {
		if n := len(levels); n == 0 || levels[n-1].Left != v.left {
			levels = append(levels, Level{v.at.Seconds(), v.left})
		}
	}
	add(s.all[0])
	for i := 0; i < len(s.all); {
		slice, lowest := s.all[i].at/width, s.all[i]
		for ; i < len(s.all) && s.all[i].at/width == slice; i++ {
			if s.all[i].left < lowest.left {
				lowest = s.all[i]
			}
		}
		add(lowest)
		add(s.all[i-1])
	}
	return levels
}
