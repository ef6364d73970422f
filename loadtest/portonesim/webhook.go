package portonesim

import (
	"context"
	"strconv"
	"time"
)

// hookTimeout is how long a shop may take to answer a webhook.
const hookTimeout = 30 * time.Second

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
)

// v1 is the status in a webhook of V1's; empty where V1 sends none, such as when
// a payment fails.
func (h happening) v1() string {
	return [...]string{"", "", "ready", "paid", "", "cancelled", "cancelled"}[h]
}

// v2 is the happening's name in webhooks of V2.
func (h happening) v2() string {
	return [...]string{"Ready", "PayPending", "VirtualAccountIssued", "Paid", "Failed", "PartialCancelled", "Cancelled"}[h]
}

// tell sends a webhook in the background, in order with the attempt's others
// unless the plan has it late. cancellation is empty for what is none.
func (s *Sim) tell(r *record, news happening, cancellation string) {
	if r.order.NoticeURL == "" || r.order.Version == 1 && news.v1() == "" {
		return
	}
	what := "webhook " + news.v2() + cancellation
	if s.chance(s.opt.Plan.DroppedHooks, r, "drop "+what) {
		return
	}
	late := s.chance(s.opt.Plan.LateHooks, r, "late "+what)
	times := 1
	if s.chance(s.opt.Plan.DuplicateHooks, r, "duplicate "+what) {
		times = 2
	}
	body := s.hookBody(r, news, cancellation)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed() {
		return
	}
	before, sent := r.settled, make(chan struct{})
	if late {
		close(sent)
	} else {
		r.settled = sent
	}
	s.hooks.Go(func() {
		if late {
			s.pause(context.Background(), s.opt.Plan.LateBy)
		} else if before != nil {
			<-before
		}
		taken := s.send(r, body, what)
		if !late {
			close(sent)
		}
		for range times - 1 {
			s.send(r, body, what)
		}
		for try := 0; !taken && r.order.Version == 2 && try < len(s.opt.Backoff); try++ {
			if !s.pause(context.Background(), s.opt.Backoff[try]) {
				return
			}
			taken = s.send(r, body, what)
		}
	})
}

// send reports whether the shop took the webhook.
func (s *Sim) send(r *record, body object, what string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), hookTimeout)
	defer cancel()
	status, _, err := s.post(ctx, r.order, r.order.NoticeURL, body, true, what+" "+r.attempt+" "+strconv.Itoa(r.number))
	if err != nil || status >= 300 {
		s.opt.Log.Info("a webhook was not taken", "order", r.order.ID, "attempt", r.attempt, "webhook", what, "status", status, "error", err)
		return false
	}
	return true
}

func (s *Sim) hookBody(r *record, news happening, cancellation string) object {
	switch r.order.Body {
	case "v2-2024-01-01":
		return object{"payment_id": r.order.ID, "tx_id": r.attempt, "status": news.v2()}
	case "v2-2024-04-25":
		data := object{"storeId": StoreID, "paymentId": r.order.ID, "transactionId": r.attempt}
		if cancellation != "" {
			data["cancellationId"] = cancellation
		}
		return object{"type": "Transaction." + news.v2(), "timestamp": rfc3339(s.opt.Now()), "data": data}
	}
	body := object{"imp_uid": r.attempt, "merchant_uid": r.order.ID, "status": news.v1()}
	if cancellation != "" {
		body["cancellation_id"] = cancellation
	}
	return body
}
