package settle

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flashgate/flashgate/gate"
)

const (
	// closing bounds how long a round closes accounts: whatever is left open is closed
	// after another look, and nobody's order waits longer for it.
	closing = 5 * time.Second
	// closeAtOnce is how many accounts are closed at the same time.
	closeAtOnce = 8
)

// closeAccounts closes the virtual accounts that were open before this look and that no
// order waits for: nobody is to pay into one by mistake. What is closed counts as
// cancelled, so that it is closed once; a failure changes nothing.
func (s *Settler) closeAccounts(ctx context.Context, sale string, p policy, moves []gate.Move, findings []finding) {
	ctx, cancel := context.WithTimeout(ctx, closing)
	defer cancel()
	var mu sync.Mutex // over the moves
	var group errgroup.Group
	group.SetLimit(closeAtOnce)
	for i := range moves {
		for _, k := range p.abandoned(&moves[i], findings[i]) {
			m, a := &moves[i], moves[i].Before.Attempts[k]
			group.Go(func() error {
				err := s.deps.Payments.CloseAccount(ctx, m.Before.ID, a)
				log := s.deps.Log.With("sale", sale, "order", m.Before.ID, "attempt", a.ID)
				if err != nil {
					log.Warn("a virtual account that no order waits for could not be closed: whoever pays into it "+
						"has the payment looked at again", "error", err)
					return nil
				}
				log.Info("a virtual account that no order waits for was closed")
				mu.Lock()
				defer mu.Unlock()
				change(m, k, func(a *gate.Attempt) { a.State = gate.AttemptCancelled })
				return nil
			})
		}
	}
	_ = group.Wait() // none returns an error
}

// abandoned returns which attempts of an order wait for a deposit that it does not wait
// for itself.
func (p policy) abandoned(m *gate.Move, found finding) (which []int) {
	o := &m.Before
	if !p.settings.RefuseDeposits && (o.State == gate.OrderHeld || o.State == gate.OrderAsking) {
		return nil
	}
	for k := range o.Attempts {
		a := &o.Attempts[k]
		if f := paymentOf(found.payments, o, a); a.State == gate.AttemptDeposit && f != nil &&
			f.State == gate.PaymentDeposit {
			which = append(which, k)
		}
	}
	return which
}
