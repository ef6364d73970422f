package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/audit"
)

var errAway = errors.New("the store is away")

// failing is a store whose call number on fails, counted from 1.
type failing struct {
	audit.Store
	on, calls int
}

func (f *failing) call() error {
	if f.calls++; f.calls == f.on {
		return errAway
	}
	return nil
}

func (f *failing) Inspect(ctx context.Context, sale string) (i gate.Inspection, err error) {
	if err = f.call(); err == nil {
		i, err = f.Store.Inspect(ctx, sale)
	}
	return i, err
}

func (f *failing) EachOrder(ctx context.Context, sale string, do func(string, gate.Order, error) error) error {
	return errors.Join(f.Store.EachOrder(ctx, sale, do), f.call())
}

func (f *failing) Records(ctx context.Context, sale string, ids []string, do func(string, *gate.Order, error)) error {
	return errors.Join(f.Store.Records(ctx, sale, ids, do), f.call())
}

func (f *failing) EachBuyer(ctx context.Context, sale string, do func(string, int64) error) error {
	return errors.Join(f.Store.EachBuyer(ctx, sale, do), f.call())
}

func (f *failing) Bought(ctx context.Context, sale string, buyers []string) (units []int64, err error) {
	if err = f.call(); err == nil {
		units, err = f.Store.Bought(ctx, sale, buyers)
	}
	return units, err
}

func (f *failing) EachLook(ctx context.Context, sale string, do func(gate.Look) error) error {
	return errors.Join(f.Store.EachLook(ctx, sale, do), f.call())
}

func (f *failing) LookTimes(ctx context.Context, sale string, ids []string) (times []time.Time, err error) {
	if err = f.call(); err == nil {
		times, err = f.Store.LookTimes(ctx, sale, ids)
	}
	return times, err
}

func (f *failing) NewestEntry(ctx context.Context, sale string) (seq int64, err error) {
	if err = f.call(); err == nil {
		seq, err = f.Store.NewestEntry(ctx, sale)
	}
	return seq, err
}

func (f *failing) Sales(ctx context.Context) (names []string, err error) {
	if err = f.call(); err == nil {
		names, err = f.Store.Sales(ctx)
	}
	return names, err
}

func (f *failing) Delivery(ctx context.Context, sale string) (d gate.Delivery, err error) {
	if err = f.call(); err == nil {
		d, err = f.Store.Delivery(ctx, sale)
	}
	return d, err
}

func (f *failing) EachEntry(ctx context.Context, sale string, from, upto int64,
	do func(int64, *gate.Entry, error) error,
) error {
	return errors.Join(f.Store.EachEntry(ctx, sale, from, upto, do), f.call())
}

// What could not be read is not "nothing differs": whichever call of Redis fails, there is
// no report. The damage makes the audit read again what differs.
func TestAnAuditThatCannotReadAllOfItFails(t *testing.T) {
	t.Parallel()
	sc := open(t)
	sc.Do(t, "HSET", key+":buyers", "ann", "90")
	sc.Do(t, "ZREM", key+":due", "o:o1", "seq:2")
	sc.Do(t, "HDEL", key+":orders", "o2")
	for on := 1; ; on++ {
		f := &failing{Store: sc.s, on: on}
		report, err := audit.Run(t.Context(), audit.Deps{Store: f, Payments: asOrdered()}, "race", audit.Options{})
		if f.calls < on {
			if err != nil || report.Differences == 0 || on < 15 {
				t.Errorf("with %d calls, none of which failed, it found %+v, %v", f.calls, report, err)
			}
			return
		}
		if !errors.Is(err, errAway) || report.Findings != nil {
			t.Errorf("call %d failed, and the audit says %+v, %v", on, report, err)
		}
	}
}
