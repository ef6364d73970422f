package settle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/flashgate/flashgate/gate"
)

// passes reports whether the brake on the sale's refunds lets a cancellation pass; in doubt it does
// not. The gate that pulls the brake logs it, once.
func (s *Settler) passes(ctx context.Context, log *slog.Logger, sale, order, attempt string, why gate.RefundReason,
	is gate.RefundAttempt,
) bool {
	passes, pulled, err := s.deps.Store.PassBrake(ctx, s.opt.Who, sale, order, attempt, why, is)
	switch {
	case errors.Is(err, gate.ErrNoRefund), errors.Is(err, gate.ErrNoSale): // the refund is not owed any more
		return false
	case err != nil:
		log.Warn("a payment that is refund due is not cancelled now: the brake could not be asked", "error",
			err)
		return false
	case pulled != nil:
		log.Error("the brake on refunds holds: nothing of this sale is cancelled until a person lets it go on. "+
			"flashgate refunds says why and how many wait, and with --go-on releases it", "why", pulled)
	}
	return passes
}

// Braked is what GoOn needs of a store.
type Braked interface {
	gate.Refunds
	// Unbrake releases the brake and lets that many payments pass uncounted. It reports whether the
	// brake held. It may return gate.ErrNoSale, or a *gate.UnsecuredError if the brake is released but
	// too few replicas know.
	Unbrake(ctx context.Context, who, sale string, payments int64) (held bool, err error)
	HastenAll(ctx context.Context, sale string, ids []string) error
}

// GoneOn is the result of GoOn.
type GoneOn struct {
	Released bool `json:"released"` // the brake held
	Orders   int  `json:"orders"`   // orders that are due now, so that their payments are given back
}

// GoOn releases the brake on a sale's refunds and makes the refunds that wait for it due now.
// payments is how many the person has seen waiting: that many are not counted by the brake, more
// are. If the brake does not hold, refunds that wait for nobody are made due. GoOn returns errors
// as gate.FindSale does, or a *gate.UnsecuredError if the brake is released but too few replicas
// know.
func GoOn(ctx context.Context, store Braked, who, sale string, payments int64) (done GoneOn, err error) {
	reports, err := gate.RefundViews(ctx, store, sale)
	if err != nil {
		return done, err
	}
	var ids []string
	for _, r := range reports {
		for _, line := range r.Refunds {
			waits := line.Waits == gate.WaitBrake || line.Waits == gate.WaitNobody &&
				line.State == gate.AttemptRefundDue.String()
			if waits && (len(ids) == 0 || ids[len(ids)-1] != r.Order) {
				ids = append(ids, r.Order)
			}
		}
	}
	done.Released, err = store.Unbrake(ctx, who, sale, payments)
	if err != nil && !gate.IsUnsecured(err) {
		return done, err
	}
	if hastened := store.HastenAll(ctx, sale, ids); hastened != nil {
		return done, errors.Join(err,
			fmt.Errorf("what waits is tried within an hour; say it again to have it tried now: %w", hastened))
	}
	done.Orders = len(ids)
	return done, err
}
