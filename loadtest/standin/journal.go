package standin

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// MaxPage is how many asks GET /asks shows at once.
const MaxPage = 5000

// Ask is one question and what the shop made of it.
type Ask struct {
	Seq int64 `json:"seq"` // from 1
	Question
	Came     time.Time `json:"came"`
	Word     Word      `json:"word"`
	Reason   string    `json:"reason,omitempty"`  // of a no, for the buyer
	Problem  string    `json:"problem,omitempty"` // of a fault
	Status   int       `json:"status,omitempty"`  // that was answered; 0 while none was
	Answered time.Time `json:"answered,omitzero"` // just before the answer went out
}

// journal keeps the newest asks.
type journal struct {
	room int

	mu     sync.Mutex // over what follows
	kept   []Ask      // a ring once it is full: ask n is at (n-1) % room
	newest int64
}

func newJournal(room int) *journal { return &journal{room: room} }

// add keeps an ask, and returns its number.
func (j *journal) add(a Ask) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.newest++
	a.Seq = j.newest
	if len(j.kept) < j.room {
		j.kept = append(j.kept, a)
	} else {
		*j.at(a.Seq) = a
	}
	return a.Seq
}

// answer notes what was answered, and when.
func (j *journal) answer(seq int64, status int, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if seq >= j.oldest() {
		a := j.at(seq)
		a.Status, a.Answered = status, at
	}
}

func (j *journal) at(seq int64) *Ask { return &j.kept[(seq-1)%int64(j.room)] }

func (j *journal) oldest() int64 { return j.newest - int64(len(j.kept)) + 1 }

// Page is a part of the log.
type Page struct {
	Now    time.Time `json:"now"`    // by the shop's clock
	Oldest int64     `json:"oldest"` // ask that is kept; one more than Newest where none is
	Newest int64     `json:"newest"`
	Asks   []Ask     `json:"asks"`
}

// since returns the asks after a number, so many of them at most.
func (j *journal) since(seq int64, most int) Page {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := Page{Oldest: j.oldest(), Newest: j.newest, Asks: []Ask{}}
	for next := max(min(seq, j.newest)+1, p.Oldest); next <= j.newest && len(p.Asks) < most; next++ {
		p.Asks = append(p.Asks, *j.at(next))
	}
	return p
}

// Asks returns the asks after a number, MaxPage of them at most.
func (s *Shop) Asks(since int64) Page {
	p := s.log.since(since, MaxPage)
	p.Now = s.now()
	return p
}

func (s *Shop) asks(w http.ResponseWriter, r *http.Request) {
	since := int64(0)
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = strconv.ParseInt(text, 10, 64); err != nil || since < 0 {
			complain(w, fmt.Errorf("since=%s: must be the seq of an ask, or 0", text))
			return
		}
	}
	answer(w, http.StatusOK, s.Asks(since))
}
