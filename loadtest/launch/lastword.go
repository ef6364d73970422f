package launch

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Shop is a stand-in for the shop's server, which gates ask for its last word on
// each order. It keeps a log of what it was asked and what it said.
type Shop struct {
	URL    string // such as http://127.0.0.1:8082
	Client *http.Client

	before int64         // the newest ask of its log before the run
	ahead  time.Duration // how far its clock may be ahead of this machine's, at most
}

// askView is an ask as the log shows it.
type askView struct {
	Seq      int64       `json:"seq"`
	ID       string      `json:"id"` // of the question
	Sale     string      `json:"sale"`
	Order    string      `json:"order"`
	Attempt  string      `json:"attempt"`
	Buyer    string      `json:"buyer"`
	Lines    []gate.Line `json:"lines"`
	Amount   *int64      `json:"amount"`
	Word     string      `json:"word"`
	Reason   string      `json:"reason"`   // of a no, for the buyer
	Problem  string      `json:"problem"`  // where no gate may ask so
	Status   int         `json:"status"`   // that was answered; 0 for none
	Answered time.Time   `json:"answered"` // just before the answer went out
}

func (a *askView) yes() bool { return a.Status >= 200 && a.Status <= 299 }

func (a *askView) no() bool { return a.Status >= 400 && a.Status <= 499 }

// of reports whether the ask is about the order as it was sent.
func (a *askView) of(o *order) bool {
	return a.Attempt == o.attempt() && a.Buyer == o.buyer && slices.Equal(a.Lines, o.lines) && a.Amount != nil &&
		*a.Amount == o.amount
}

// Begin finds out whether the shop answers. What it is asked from now on is of
// this run.
func (s *Shop) Begin(ctx context.Context) error {
	s.ahead = math.MaxInt64
	page, err := s.page(ctx, math.MaxInt64)
	if err == nil {
		s.before = page.Newest
	}
	return err
}

// askPage is a part of the log.
type askPage struct {
	Now    time.Time `json:"now"`
	Oldest int64     `json:"oldest"`
	Newest int64     `json:"newest"`
	Asks   []askView `json:"asks"`
}

// page reads what comes after an ask.
func (s *Shop) page(ctx context.Context, since int64) (page askPage, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		fmt.Sprintf("%s/asks?since=%d", strings.TrimSuffix(s.URL, "/"), since), nil)
	if err != nil {
		return page, err
	}
	asked := time.Now()
	if err := fetch(s.Client, request, maxRead, &page); err != nil {
		return page, err
	}
	s.ahead = min(s.ahead, page.Now.Sub(asked))
	return page, nil
}

// lastWords is what the shop was asked in a run, and what it said.
type lastWords struct {
	asks    []askView             // of the run's orders, and whatever no gate may ask
	byOrder map[string][]*askView // by id
	lost    int64                 // asks that the log has dropped
}

// lastWords reads the log. Asks about other sales and others' orders are none of
// this run's.
func (r *Run) lastWords(ctx context.Context) (*lastWords, error) {
	w := &lastWords{byOrder: map[string][]*askView{}}
	for since := r.Shop.before; ; {
		page, err := r.Shop.page(ctx, since)
		if err != nil {
			return nil, fmt.Errorf("reading the log of the shop at %s: %w", r.Shop.URL, err)
		}
		if page.Newest < since {
			return nil, fmt.Errorf("the log of the shop at %s is shorter than it was: it must run for as long as "+
				"the rehearsal", r.Shop.URL)
		}
		w.lost += max(0, page.Oldest-since-1)
		if len(page.Asks) == 0 {
			break
		}
		for _, a := range page.Asks {
			if a.Problem != "" || a.Sale == r.Plan.opt.Sale && strings.HasPrefix(a.Order, r.Plan.opt.Prefix) {
				w.asks = append(w.asks, a)
			}
		}
		since = page.Asks[len(page.Asks)-1].Seq
	}
	for i := range w.asks {
		a := &w.asks[i]
		w.byOrder[a.Order] = append(w.byOrder[a.Order], a)
	}
	return w, nil
}

// answered is when the answer to an ask went out, from the start of the run: at
// the earliest, as far as this machine's clock and the shop's can be compared.
func (r *Run) answered(a *askView) time.Duration { return a.Answered.Sub(r.began) - r.Shop.ahead }

// ShopSaid counts what the shop was asked in a run, and what it said.
type ShopSaid struct {
	Asks   int `json:"asks"`
	Orders int `json:"orders"` // that it was asked about
	Resent int `json:"resent"` // asks that came once more, because the shop had closed the connection
	// Words counts the answers: yes, no, slow (a late yes), hang, fail (500), down, and fault (to a question that no
	// gate may ask).
	Words map[string]int `json:"words"`
}

func (w *lastWords) said() *ShopSaid {
	s := &ShopSaid{Asks: len(w.asks), Orders: len(w.byOrder), Words: map[string]int{}}
	for i := range w.asks {
		s.Words[w.asks[i].Word]++
	}
	for _, asks := range w.byOrder {
		asked, _ := questions(asks)
		s.Resent += len(asks) - asked
	}
	return s
}

// The checks of what the shop said.
const (
	saidYes   = "said yes"
	saidNo    = "said no"
	askedOnce = "asked once"
)

// hearShop holds what the orders were told against the shop's log.
func (r *Run) hearShop(ctx context.Context, j Judge, stories []told, found *Judged) error {
	if r.Shop == nil {
		if j.Before != nil && j.Before.Settings.Ask != "" {
			found.Checks = append(found.Checks,
				skipped(saidYes, "the sale asks the shop, and without --shop nobody looks at what that said"))
		}
		return nil
	}
	var words *lastWords
	err := during(j, "reading the shop's log", func() (err error) {
		words, err = r.lastWords(ctx)
		return err
	})
	if err != nil {
		return err
	}
	found.Shop = words.said()
	if words.lost > 0 {
		for _, name := range []string{saidYes, saidNo, askedOnce} {
			found.Checks = append(found.Checks,
				skipped(name, "the shop's log has dropped %d asks of this run", words.lost))
		}
		return nil
	}
	found.Checks = append(found.Checks, r.checkYes(stories, words), r.checkNo(stories, words),
		r.checkAsks(stories, words))
	return nil
}

// checkYes wants a yes of the shop's to order and attempt before each order's
// first 200.
func (r *Run) checkYes(stories []told, words *lastWords) Check {
	var wrong findings
	accepted := 0
	for _, s := range stories {
		if s.accepted == 0 {
			continue
		}
		accepted++
		o := r.Plan.order(s.number)
		asks := words.byOrder[o.id]
		if !slices.ContainsFunc(asks, func(a *askView) bool {
			return a.yes() && a.Attempt == o.attempt() && r.answered(a) <= s.accepted
		}) {
			wrong.add("order %s was told 200, and the shop %s", o.id, heard(asks))
		}
	}
	if accepted == 0 {
		return skipped(saidYes, "nobody was told 200")
	}
	return wrong.check(saidYes, "%d of %d orders were told 200 before the shop had said yes", wrong.count, accepted)
}

// heard says what the shop said to one order.
func heard(asks []*askView) string {
	if len(asks) == 0 {
		return "was not asked"
	}
	var said []string
	for _, a := range asks {
		if a.Status == 0 {
			said = append(said, "nothing ("+a.Word+")")
		} else {
			said = append(said, a.Word)
		}
	}
	return "said: " + strings.Join(said, ", ")
}

// checkNo wants shop_refused for each order that the shop said no to, with the
// shop's own reason, and for no other.
func (r *Run) checkNo(stories []told, words *lastWords) Check {
	var wrong findings
	refused := 0
	for _, s := range stories {
		id := r.Plan.opt.orderID(s.number)
		asks := words.byOrder[id]
		said := slices.ContainsFunc(asks, (*askView).no)
		if !said && !s.refused {
			continue
		}
		refused++
		for _, a := range s.answers {
			if a.code == shopRefused && !slices.ContainsFunc(asks, func(ask *askView) bool {
				return ask.no() && r.answered(ask) <= a.done && (ask.Reason == "" || ask.Reason == a.reason)
			}) {
				wrong.add("order %s was told shop_refused (%s), and the shop %s", id, a.reason, heard(asks))
			}
		}
		if said && !s.refused && !s.unsure {
			wrong.add("order %s was told %s, and the shop %s", id, s.codes(), heard(asks))
		}
	}
	if refused == 0 {
		return skipped(saidNo, "the shop said no to nobody, and nobody was told so")
	}
	return wrong.check(saidNo, "%d orders were refused by the shop, %d of them not as it said", refused, wrong.count)
}

// checkAsks wants one ask for each confirm that took its order's units or found it
// asking, about the order as it was sent, and none for others.
func (r *Run) checkAsks(stories []told, words *lastWords) Check {
	var wrong findings
	about, again := 0, 0
	sent := map[string]bool{}
	for _, s := range stories {
		o := r.Plan.order(s.number)
		sent[o.id] = true
		asks, reasons := words.byOrder[o.id], s.reasonsToAsk()
		asked, most := questions(asks)
		switch {
		case most > 2:
			wrong.add("the same question about order %s was sent %d times", o.id, most)
		case asked > reasons:
			wrong.add("order %s was asked about %d times, and told %s: %d of these need the shop", o.id, asked,
				s.codes(), reasons)
		case asked > 1:
			again++
		}
		if len(asks) > 0 {
			about++
		}
		for _, a := range asks {
			if a.Problem == "" && !a.of(&o) {
				wrong.add("order %s was asked about as attempt %s, buyer %s, %v, amount %v", o.id, a.Attempt, a.Buyer,
					a.Lines, a.Amount)
			}
		}
	}
	for i := range words.asks {
		switch a := &words.asks[i]; {
		case a.Problem != "":
			wrong.add("a question about order %q was at fault: %s", a.Order, a.Problem)
		case !sent[a.Order]:
			wrong.add("order %s was asked about, and nobody sent it", a.Order)
		}
	}
	if len(words.asks) == 0 {
		return skipped(askedOnce, "the shop was asked about no order")
	}
	return wrong.check(askedOnce, "%d orders were asked about, %d of them again because they were sent again before "+
		"their yes; %d asks are wrong", about, again, wrong.count)
}

// questions counts what the shop was asked about one order, and how often one
// question came at most: it may come once more where the shop closed the connection
// without an answer.
func questions(asks []*askView) (count, most int) {
	came, open := map[string]int{}, map[string]bool{}
	for _, a := range asks {
		if !open[a.ID] {
			count++
			came[a.ID] = 0
		}
		came[a.ID]++
		most, open[a.ID] = max(most, came[a.ID]), a.ID != "" && a.Status == 0
	}
	return count, most
}

// reasonsToAsk counts the order's confirms that may have made a gate ask: those
// that were sent before its first 200, and not told what is told without units.
func (s *told) reasonsToAsk() (count int) {
	for _, a := range s.answers {
		if (s.accepted == 0 || a.sent <= s.accepted) &&
			(a.failure != "" || a.held() || unsure(a.code) || a.code == shopRefused || a.code == "attempt_ended") {
			count++
		}
	}
	return count
}

// codes lists what the order was told.
func (s *told) codes() string {
	by := map[string]int{}
	for _, a := range s.answers {
		by[cmp.Or(a.code, "nothing")]++
	}
	return counts(by)
}
