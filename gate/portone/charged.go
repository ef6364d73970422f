package portone

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// v1Window is the longest time that one of V1's lists covers.
const v1Window = 90 * 24 * time.Hour

// EachCharged calls do for each payment of the shop's that was begun from one time to another and
// is charged by now, of each version that there are credentials of; if a payment cannot be read, do
// gets a fault instead. V1 lists no test payments. An error of do ends it and is returned.
func (c *Client) EachCharged(ctx context.Context, from, to time.Time,
	do func(p gate.Payment, fault error) error,
) error {
	if c.v1 != nil {
		if err := c.v1.eachCharged(ctx, from, to, do); err != nil {
			return err
		}
	}
	if c.v2 != nil {
		return c.v2.eachCharged(ctx, from, to, do)
	}
	return nil
}

// eachCharged lists what is paid by the time that it was paid at, the oldest first.
func (v *v1) eachCharged(ctx context.Context, from, to time.Time, do func(gate.Payment, error) error) error {
	seen := map[string]bool{}
	for since, now := from, v.now(); since.Before(now); {
		until := since.Add(v1Window)
		if until.After(now) {
			until = now
		}
		list, whole, err := v.paidFrom(ctx, since, until)
		if err != nil {
			return err
		}
		for i := range list {
			p := &list[i]
			if !p.charged(from, to) || seen[p.attempt] {
				continue
			}
			seen[p.attempt] = p.attempt != ""
			if err := do(p.payment, p.err); err != nil {
				return err
			}
		}
		if since = until; !whole {
			since = list[len(list)-1].paid
		}
	}
	return nil
}

// paidFrom returns what was paid from a time on, and whether that is all until the
// other. What there is more is to be asked for from the last one's time on, not by
// pages: one that is cancelled meanwhile leaves the list, and would move another
// past a page's end. Only what was paid within one second needs pages.
func (v *v1) paidFrom(ctx context.Context, since, until time.Time) (list []found, whole bool, err error) {
	for page := 1; ; page++ {
		some, err := v.paid(ctx, since, until, page)
		if err != nil {
			return nil, false, err
		}
		list = append(list, some...)
		if len(some) < v1Page {
			return list, true, nil
		}
		if last := some[len(some)-1].paid; last.Unix() > since.Unix() {
			return list, false, nil
		}
	}
}

// paid returns a page of what was paid in a time; nothing behind the last one.
func (v *v1) paid(ctx context.Context, from, to time.Time, page int) ([]found, error) {
	return v.listed(ctx, "paid", fmt.Sprintf("paid?from=%d&to=%d&sorting=paid", from.Unix(), to.Unix()), page, v1Page)
}

// listed returns a page, of so many, of a list of payments by their status, the first of
// which has number 1; nothing behind the last one. V1 lists no test payments.
func (v *v1) listed(ctx context.Context, name, list string, page, limit int) ([]found, error) {
	answer, err := v.read(ctx, call{
		name: name, method: http.MethodGet, path: fmt.Sprintf("/payments/status/%s&page=%d&limit=%d",
			list, page, limit),
	})
	var no *Error
	if notFound(err) || page > 1 && errors.As(err, &no) && no.Status == http.StatusBadRequest {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var items struct {
		List []json.RawMessage `json:"list"`
	}
	if err := json.Unmarshal(answer, &items); err != nil {
		return nil, fmt.Errorf("%s of PortOne v1: %w", name, err)
	}
	all := make([]found, len(items.List))
	for i, item := range items.List {
		all[i] = readV1(item)
	}
	return all, nil
}

// charged reports whether the payment was begun from one time to another, or nobody
// knows when, and money of it is with the shop, or nobody knows that.
func (f *found) charged(from, to time.Time) bool {
	if !f.begun.IsZero() && (f.begun.Before(from) || f.begun.After(to)) {
		return false
	}
	return f.err != nil || f.payment.State == gate.PaymentPaid || f.payment.State == gate.PaymentPartCancelled
}

// eachCharged lists all payments by the time that they were made at, the oldest
// first, so that nothing that happens meanwhile moves one.
func (v *v2) eachCharged(ctx context.Context, from, to time.Time, do func(gate.Payment, error) error) error {
	var wrong error
	seen := map[string]bool{}
	err := v.pages(ctx, from, func(page map[string]found, last time.Time) bool {
		for order, f := range page {
			if !f.charged(from, to) || seen[order] {
				continue
			}
			seen[order] = order != ""
			if wrong = do(f.payment, f.err); wrong != nil {
				return false
			}
		}
		return !last.After(to)
	})
	return cmp.Or(err, wrong)
}
