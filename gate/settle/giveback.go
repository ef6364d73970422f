package settle

import (
	"context"
	"errors"
	"fmt"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// ErrGiveBack says why the refund that a person ordered cannot be tried: the order or its sale does not fit.
var ErrGiveBack = errors.New("the refund cannot be tried")

// Owed is what GiveBack needs of a store.
type Owed interface {
	gate.Listing
	Orders(ctx context.Context, sale string, ids []string) (orders []gate.Order, faults []error, err error)
	// RefundNote reads the note on an order's refunds, and the version of the sale's settings.
	RefundNote(ctx context.Context, sale, order string) (note gate.RefundNote, version int64, err error)
	// TellRefund changes the note. It returns gate.ErrNoRefund, gate.ErrNoSale, gate.ErrChanged, or
	// a *gate.UnsecuredError if the note is changed but too few replicas have it.
	TellRefund(ctx context.Context, sale, order string, change func(*gate.RefundNote)) error
	Hasten(ctx context.Context, sales []string, id string) (known bool, err error)
}

// GiveBack makes the gates try the refunds of an order once more, even while the brake holds or if
// PortOne had refused them for good. If an account is given, the refund goes to it. GiveBack
// returns errors as gate.FindSale does, gate.ErrNoOrder, an error that is ErrGiveBack, or a
// *gate.UnsecuredError if it is noted but too few replicas have it.
func GiveBack(ctx context.Context, store Owed, sale, order string, account *gate.BankAccount) error {
	state, err := gate.FindSale(ctx, store, sale)
	if err != nil {
		return err
	}
	orders, faults, err := store.Orders(ctx, sale, []string{order})
	if err = errors.Join(append(faults, err)...); err != nil {
		return err
	}
	switch {
	case len(orders) == 0:
		return gate.ErrNoOrder
	case !state.AutoRefund:
		return fmt.Errorf("%w: the sale has no auto_refund, so its gates cancel nothing. Cancel the payment at "+
			"PortOne, or set it", ErrGiveBack)
	}
	note, _, err := store.RefundNote(ctx, sale, order)
	if err != nil {
		return err
	}
	due, stranded := map[string]gate.RefundAttempt{}, 0
	for _, a := range orders[0].Attempts {
		switch {
		case a.State != gate.AttemptRefundDue:
			continue
		case note.Attempts[a.ID].Waits == gate.WaitBank:
			stranded++
			continue
		}
		due[a.ID] = gate.RefundAttempt{Ordered: true}
		if account == nil {
			continue
		}
		if err := portone.CheckAccount(a.Version, account); err != nil {
			return fmt.Errorf("%w: %w", ErrGiveBack, err)
		}
	}
	switch {
	case len(due) == 0 && stranded > 0:
		return fmt.Errorf("%w: PortOne has cancelled the payment, and the bank did not send the money. Have that "+
			"sent, in PortOne's console or by its support: a look finds when it was", ErrGiveBack)
	case len(due) == 0 && orders[0].OwesRefund():
		return fmt.Errorf("%w: PortOne has accepted the cancellation already; wait for its outcome", ErrGiveBack)
	case len(due) == 0:
		return fmt.Errorf("%w: %w", ErrGiveBack, gate.ErrNoRefund)
	}
	err = store.TellRefund(ctx, sale, order, func(n *gate.RefundNote) {
		for id, is := range due {
			n.Set(id, is)
		}
		if account != nil {
			n.Account = account
		}
	})
	switch {
	case errors.Is(err, gate.ErrNoRefund):
		return fmt.Errorf("%w: %w", ErrGiveBack, err)
	case err != nil && !gate.IsUnsecured(err):
		return err
	}
	_, hastened := store.Hasten(ctx, []string{sale}, order)
	return errors.Join(err, hastened)
}
