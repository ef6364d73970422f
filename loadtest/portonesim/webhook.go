package portonesim

import (
	"cmp"
	"context"
	"strconv"
	"time"
)

const (
	hookTimeout = 30 * time.Second // how long a shop may take to answer a webhook
	hooksAtOnce = 128              // webhooks that are sent at the same time
)

// happening is what a webhook is about.
type happening int

const (
	opened happening = iota
	payPending
	accountIssued
	wasPaid
	hasFailed
	partCancelled
	allCancelled
	cancelPending
	disputeCreated
	disputeResolved
)

// v1 is the status in a webhook of V1's; empty where V1 sends none, such as when
// a payment fails.
func (h happening) v1() string {
	return [...]string{"", "", "ready", "paid", "", "cancelled", "cancelled", "", "", ""}[h]
}

// v2 is the happening's name in webhooks of V2.
func (h happening) v2() string {
	return [...]string{
		"Ready", "PayPending", "VirtualAccountIssued", "Paid", "Failed", "PartialCancelled", "Cancelled",
		"CancelPending", "DisputeCreated", "DisputeResolved",
	}[h]
}

// v2Status is the status that the payment had then.
func (h happening) v2Status() string {
	return [...]string{
		"READY", "PAY_PENDING", "VIRTUAL_ACCOUNT_ISSUED", "PAID", "FAILED", "PARTIAL_CANCELLED", "CANCELLED",
		"PAID", "PAID", "PAID",
	}[h]
}

// in reports whether webhooks in an order's form tell of the happening.
func (h happening) in(o Order) bool {
	switch {
	case o.Version == 1:
		return h.v1() != ""
	case o.Body == "v2-2024-01-01":
		return h != disputeCreated && h != disputeResolved
	}
	return true
}

// hook is a webhook to one of the shop's addresses.
type hook struct {
	message
	r    *record
	news happening
	what string // with the cancellation where it is about one
	// The simulator's lock guards what follows.
	at     time.Time // when it was sent last
	count  int       // how often it was sent
	status string    // what came of it, as V2 has it
}

// tell sends webhooks in the background, in order at each address unless the plan
// has them late. cancellation is empty for what is none.
func (s *Sim) tell(r *record, news happening, cancellation string) {
	if !news.in(r.order) {
		return
	}
	body := s.hookBody(r, news, cancellation)
	for i, address := range r.order.notices() {
		what := "webhook " + news.v2() + cancellation
		if i > 0 {
			what += " " + strconv.Itoa(i)
		}
		m := s.message(r.order, address, body, what+" "+r.attempt+" "+strconv.Itoa(r.number))
		s.deliver(&hook{message: m, r: r, news: news, what: what})
	}
}

// deliver sends a webhook when and as often as the plan has it.
func (s *Sim) deliver(h *hook) {
	plan, r := s.opt.Plan, h.r
	late, shuffled := s.chance(plan.LateHooks, r, "late "+h.what), s.chance(plan.ShuffledHooks, r, "shuffle "+h.what)
	copies := 1
	if s.chance(plan.DuplicateHooks, r, "duplicate "+h.what) {
		copies = cmp.Or(plan.HookCopies, 2)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.hooks = append(r.hooks, h)
	if s.life.Err() != nil || s.chance(plan.DroppedHooks, r, "drop "+h.what) {
		return
	}
	before, sent := r.settled[h.to], make(chan struct{})
	if late || shuffled {
		before = nil
	} else {
		r.settled[h.to] = sent
	}
	for i := range copies {
		var wait time.Duration
		after := before
		switch {
		case shuffled:
			wait = time.Duration(s.draw("shuffle", h.id, strconv.Itoa(i)) * float64(plan.LateBy))
		case i > 0:
			after = sent
		case late:
			wait = plan.LateBy
		}
		s.work.Go(func() {
			s.pause(wait)
			if after != nil {
				<-after
			}
			taken := s.send(h)
			if i == 0 {
				close(sent)
				s.insist(h, taken)
			}
		})
	}
}

// insist sends a webhook of V2's again until it is taken.
func (s *Sim) insist(h *hook, taken bool) {
	for try := 0; !taken && h.r.order.Version == 2 && try < len(s.opt.Backoff) && s.pause(s.opt.Backoff[try]); try++ {
		taken = s.send(h)
	}
}

// send reports whether the shop took the webhook.
func (s *Sim) send(h *hook) bool {
	s.mu.Lock()
	h.at, h.count = s.deps.Now(), h.count+1
	s.mu.Unlock()
	status, err := s.postHook(h.message)
	came := "SUCCEEDED"
	switch {
	case err != nil:
		came = "FAILED_UNEXPECTED_ERROR"
	case status >= 300:
		came = "FAILED_NOT_OK_RESPONSE"
	}
	s.mu.Lock()
	h.status = came
	s.mu.Unlock()
	if came != "SUCCEEDED" {
		s.deps.Log.Info("a webhook was not taken", "order", h.r.order.ID, "attempt", h.r.attempt, "webhook", h.what,
			"status", status, "error", err)
	}
	return came == "SUCCEEDED"
}

// postHook sends a webhook when there are few enough under way.
func (s *Sim) postHook(m message) (status int, err error) {
	s.slots <- struct{}{}
	defer func() { <-s.slots }()
	ctx, cancel := context.WithTimeout(context.Background(), hookTimeout)
	defer cancel()
	status, _, err = s.post(ctx, m)
	return status, err
}

// forge calls a payment paid that is not yet, as anybody may who knows the
// address: V1's as an attempt that does not exist, V2's with a signature by
// another secret.
func (s *Sim) forge(r *record) {
	claimed := &record{order: r.order, attempt: r.attempt}
	if r.order.Version == 1 {
		claimed.attempt = s.attemptID(r.order, 0) // the first has number 1
	}
	body, secret := s.hookBody(claimed, wasPaid, ""), s.hash("forger")
	for _, address := range r.order.notices() {
		m := s.message(r.order, address, body, "forged "+address+" "+r.attempt)
		if r.order.Version == 2 {
			m.secret = secret[:]
		}
		s.work.Go(func() {
			if status, err := s.postHook(m); err != nil || status >= 300 {
				s.deps.Log.Info("a forged webhook was not taken", "order", r.order.ID, "attempt", claimed.attempt,
					"status", status, "error", err)
			}
		})
	}
}

func (s *Sim) hookBody(r *record, news happening, cancellation string) object {
	switch r.order.Body {
	case "v2-2024-01-01":
		return object{"payment_id": r.order.ID, "tx_id": r.attempt, "status": news.v2()}
	case "v2-2024-04-25":
		data := object{"storeId": r.order.StoreID, "paymentId": r.order.ID, "transactionId": r.attempt}
		if cancellation != "" {
			data["cancellationId"] = cancellation
		}
		return object{"type": "Transaction." + news.v2(), "timestamp": rfc3339(s.deps.Now()), "data": data}
	}
	body := object{"imp_uid": r.attempt, "merchant_uid": r.order.ID, "status": news.v1()}
	if cancellation != "" {
		body["cancellation_id"] = cancellation
	}
	return body
}
