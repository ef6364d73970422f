package standin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxBody is how long a question may be, in bytes.
const maxBody = 64 << 10

// Question is what a gate asks about an order. It is spelled a second time here,
// so that a gate cannot hide its own mistakes.
type Question struct {
	Type      string    `json:"type"`
	ID        string    `json:"id"`
	Timestamp time.Time `json:"timestamp"`
	Sale      string    `json:"sale"`
	Run       int64     `json:"run"`
	Order     string    `json:"order"`
	Attempt   string    `json:"attempt"`
	Version   int       `json:"version"`
	Buyer     string    `json:"buyer,omitempty"`
	Lines     []Line    `json:"lines"`
	Amount    *int64    `json:"amount,omitempty"`
}

// Line is some units of one SKU.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// ask answers a question as the plan has it. What it says is in the log before it
// goes out, so that whoever has heard a yes finds it there.
func (s *Shop) ask(w http.ResponseWriter, r *http.Request) {
	a := Ask{Came: s.now()}
	s.begin(a.Came)
	status, err := s.read(w, r, &a.Question)
	switch {
	case s.down(a.Came):
		a.Word = Down
	case err != nil:
		a.Word, a.Problem = Fault, err.Error()
	default:
		a.Word = s.Word(a.Order)
	}
	if a.Word == No {
		a.Reason = s.reason(a.Order)
	}
	seq := s.log.add(a)
	wait := s.opt.Plan.Takes
	switch a.Word {
	case Yes:
		status = http.StatusOK
	case No:
		status = http.StatusConflict
	case Slow:
		status, wait = http.StatusOK, s.opt.Plan.SlowBy
	case Fail:
		status = http.StatusInternalServerError
	case Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Down:
		panic(http.ErrAbortHandler)
	}
	if !pause(r.Context(), wait) || s.down(s.now()) {
		panic(http.ErrAbortHandler)
	}
	s.log.answer(seq, status, s.now())
	if status == http.StatusOK {
		w.WriteHeader(status)
		return
	}
	answer(w, status, struct {
		Reason string `json:"reason,omitempty"`
		Error  string `json:"error,omitempty"`
	}{a.Reason, a.Problem})
}

// read reads a question, as far as it can be read. An error says what is wrong with
// it, and status what that is answered with.
func (s *Shop) read(w http.ResponseWriter, r *http.Request, q *Question) (status int, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return http.StatusBadRequest, fmt.Errorf("the body cannot be read: %w", err)
	}
	unread := json.Unmarshal(body, q)
	if s.hook != nil {
		if err := s.hook.Verify(body, r.Header); err != nil {
			return http.StatusUnauthorized, fmt.Errorf("the signature: %w", err)
		}
	}
	if unread != nil {
		return http.StatusBadRequest, fmt.Errorf("the body cannot be read: %w", unread)
	}
	if id := r.Header.Get("webhook-id"); id != q.ID {
		return http.StatusBadRequest, fmt.Errorf("id %q: the webhook-id is %q", q.ID, id)
	}
	return http.StatusBadRequest, q.check()
}

// check says what a question lacks.
func (q *Question) check() error {
	switch {
	case q.Type != "order.ask":
		return fmt.Errorf("type %q: must be order.ask", q.Type)
	case q.ID == "" || q.Timestamp.IsZero() || q.Sale == "" || q.Run < 1 || q.Order == "" || q.Attempt == "":
		return errors.New("id, timestamp, sale, run, order or attempt is missing")
	case q.Version != 1 && q.Version != 2:
		return fmt.Errorf("version %d: must be 1 or 2", q.Version)
	case len(q.Lines) == 0:
		return errors.New("lines: there is none")
	case q.Amount != nil && *q.Amount < 0:
		return fmt.Errorf("amount %d: must not be negative", *q.Amount)
	}
	for _, l := range q.Lines {
		if l.SKU == "" || l.Quantity < 1 {
			return fmt.Errorf("lines: %d of %q", l.Quantity, l.SKU)
		}
	}
	return nil
}

// pause reports whether the time has passed, and not ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // to somebody who may have left
}

func complain(w http.ResponseWriter, err error) {
	answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
}
