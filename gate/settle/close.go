package settle

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flashgate/flashgate/gate"
)

const (
	// closing bounds how long a round closes accounts, so that orders do not wait longer. Accounts
	// that are left open are closed after another look.
	closing = 5 * time.Second
	// closeAtOnce is how many accounts are closed at the same time.
	closeAtOnce = 8
)

// closeAccounts closes the virtual accounts that were open before this look and that no order waits
// for, so that nobody pays into one by mistake. A closed account's attempt becomes cancelled, so it
// is closed once; a failure changes nothing.
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
	_ = group.Wait() // no goroutine returns an error
}

// abandoned returns the attempts whose virtual account is open although the order does not wait for
// its deposit.
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
