package launch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Simulator is a simulated PortOne that goes on with what the gate was asked
// about: it approves what was told 200, or declines it.
type Simulator struct {
	URL    string // such as http://127.0.0.1:8081
	Client *http.Client
}

// confirmed is a confirm call and its answer, as the simulator is told of them.
type confirmed struct {
	Body      string `json:"body"`
	ID        string `json:"id"`
	Amount    int64  `json:"amount"`
	NoticeURL string `json:"noticeUrl"`
	Attempt   string `json:"attempt"`
	Status    int    `json:"confirmStatus"` // 0: there was no answer
}

// payment is what the simulator has of an attempt.
type payment struct {
	Order     string `json:"order"`
	Amount    int64  `json:"amount"`
	Paid      bool   `json:"paid"`
	Cancelled int64  `json:"cancelled"`
}

// How the simulator is told: what has come together since the last time, and
// not more at once than it takes.
const (
	toldEvery = 100 * time.Millisecond
	toldMost  = 500
)

// follow tells the simulator of calls until there are no more.
func (s *Simulator) follow(ctx context.Context, calls <-chan confirmed) error {
	ticker := time.NewTicker(toldEvery)
	defer ticker.Stop()
	var waiting []confirmed
	for open := true; open || len(waiting) > 0; {
		if open && len(waiting) < toldMost {
			select {
			case call, more := <-calls:
				if open = more; more {
					waiting = append(waiting, call)
				}
				continue
			case <-ticker.C:
			}
		}
		if len(waiting) == 0 {
			continue
		}
		if err := s.tell(ctx, waiting); err != nil {
			return fmt.Errorf("telling the simulator of %d confirm calls: %w", len(waiting), err)
		}
		waiting = waiting[:0]
	}
	return nil
}

func (s *Simulator) tell(ctx context.Context, calls []confirmed) error {
	body, err := json.Marshal(calls)
	if err != nil {
		return err
	}
	return s.call(ctx, http.MethodPost, "/sim/confirmed", bytes.NewReader(body), &struct{}{})
}

// payments returns every attempt that the simulator knows.
func (s *Simulator) payments(ctx context.Context) (all []payment, err error) {
	if err = s.call(ctx, http.MethodGet, "/sim/payments", nil, &all); err != nil {
		err = fmt.Errorf("reading the payments from the simulator: %w", err)
	}
	return all, err
}

// Check finds out whether the simulator answers.
func (s *Simulator) Check(ctx context.Context) error {
	_, err := s.payments(ctx)
	return err
}

func (s *Simulator) call(ctx context.Context, method, path string, body io.Reader, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.URL, "/")+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	return fetch(s.Client, request, 8*maxRead, into)
}

// fetch sends a request, and decodes what it answers with 200, of so many bytes at most.
func fetch(client *http.Client, request *http.Request, most int64, into any) error {
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d: %.200s", response.StatusCode, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("its answer cannot be read: %w", err)
	}
	return nil
}

// call is what the simulator is told of a request and its answer. What was
// refused for sure is not told: nobody pays it. known has the status of each code.
func (p *Plan) call(number int, a *answer, known map[string]int) (call confirmed, tell bool) {
	r := p.requests[number]
	if r.kind.hostile() || !a.held() && !unsure(a.code) && a.failure == "" {
		return call, false
	}
	o := p.order(int(r.order))
	call = confirmed{
		Body: o.body, ID: o.id, Amount: o.amount, Attempt: o.attempt(),
		NoticeURL: p.opt.Targets[number%len(p.opt.Targets)] + "/webhook/" + p.opt.Sale,
	}
	if a.failure == "" {
		call.Status = known[a.code]
	}
	return call, true
}

// checkSettled waits until no order is held any more, for as long as limit.
func (r *Run) checkSettled(ctx context.Context, j Judge) (Check, error) {
	began := time.Now()
	for {
		view, err := j.Admin.Sale(ctx, r.Plan.opt.Sale)
		if err != nil {
			return Check{}, err
		}
		held, took := view.Orders["held"]+view.Orders["asking"], time.Since(began).Round(100*time.Millisecond)
		if held == 0 || took >= j.Settle {
			var unsettled findings
			if held > 0 {
				unsettled.add("--settle tells how long that is waited for")
			}
			return unsettled.check("settled", "%d orders are still held %s after the last answer", held, took), nil
		}
		j.Tell("settling", fmt.Sprintf("%s orders held · for %s of %s", grouped(held),
			took.Round(time.Second), j.Settle))
		if gate.Pause(ctx, settleEvery); ctx.Err() != nil {
			return Check{}, ctx.Err()
		}
	}
}

// settleEvery is how often it is looked whether all is settled.
const settleEvery = 500 * time.Millisecond

// checkPayments holds what PortOne was paid against the orders: what is kept is
// paid here, in full and once, and nothing else is.
func (r *Run) checkPayments(ctx context.Context, j Judge, stories []told, states map[int]*orderView) (Check, error) {
	var payments []payment
	err := during(j, "reading the payments", func() (err error) {
		payments, err = r.Simulator.payments(ctx)
		return err
	})
	if err != nil {
		return Check{}, err
	}
	kept := map[string]int64{}
	for _, p := range payments {
		if p.Paid {
			kept[p.Order] += p.Amount - p.Cancelled
		}
	}
	var wrong findings
	paid := 0
	for _, s := range stories {
		o, state := r.Plan.order(s.number), "refused"
		if states[s.number] != nil {
			state = states[s.number].State
		}
		switch sum := kept[o.id]; {
		case state == "paid" && sum != o.amount:
			wrong.add("order %s is paid, and %d of %d was kept", o.id, sum, o.amount)
		case state != "paid" && sum != 0:
			wrong.add("order %s is %s, and %d was kept", o.id, state, sum)
		case state == "paid":
			paid++
		}
	}
	if len(payments) == 0 && paid == 0 && wrong.count == 0 {
		return skipped("payments", "nobody tried to pay"), nil
	}
	return wrong.check("payments", "%d orders are paid, %d differ from what PortOne was paid", paid, wrong.count), nil
}
