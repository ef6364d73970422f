package portone

import (
	"context"
	"fmt"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	// v1Glance is how many payments the first page of V1's changes has: mostly there is
	// nothing new, and this is asked for over and over.
	v1Glance = 100
	// v2Changes bounds the pages of V2's changes that are read at once.
	v2Changes = 100
)

// Changed is a payment that has changed, as a list shows it. A list may be seconds old, so
// only a look-up of the order may change anything.
type Changed struct {
	Order, Attempt string // empty if not even that can be read
	Payment        gate.Payment
	Err            error // why it cannot be read
}

// Versions returns the versions that the client has credentials of.
func (c *Client) Versions() (versions []gate.Version) {
	if c.v1 != nil {
		versions = append(versions, gate.V1)
	}
	if c.v2 != nil {
		versions = append(versions, gate.V2)
	}
	return versions
}

// EachChanged calls do with page after page of the shop's payments of a version. The
// pages have those that have changed since a time on PortOne's clock and were begun after
// the time begun, and may have others. Do reports whether anything of a page is new to it.
// An error of do ends it and is returned.
//
// It returns until when, by PortOne's clock, every change was told to do; zero if that is
// not known. All is false where there are more that are not told yet. V1 lists no test
// payments.
func (c *Client) EachChanged(ctx context.Context, version gate.Version, since, begun time.Time,
	do func(page []Changed) (isNew bool, err error),
) (until time.Time, all bool, err error) {
	switch {
	case version == gate.V1 && c.v1 != nil:
		return c.v1.eachChanged(ctx, since, begun, do)
	case version == gate.V2 && c.v2 != nil:
		return c.v2.eachChanged(ctx, since, do)
	}
	return time.Time{}, false, noCredentials(version)
}

// eachChanged lists what has changed last first: what changes meanwhile comes to the
// front, and hides nothing. V1 keeps a partly cancelled payment as paid, so all are listed;
// and the list has those that came into their status within 90 days.
func (v *v1) eachChanged(ctx context.Context, since, begun time.Time,
	do func([]Changed) (bool, error),
) (until time.Time, all bool, err error) {
	now := v.now()
	for back, list := now, "all?sorting=-updated"; ; {
		latest, err := v.changedIn(ctx, list, since, do)
		if err != nil {
			return time.Time{}, false, err
		}
		if latest.After(until) {
			until = latest
		}
		if back = back.Add(-v1Window); !begun.Before(back) {
			return until, true, nil
		}
		list = fmt.Sprintf("all?sorting=-updated&from=%d&to=%d", back.Add(-v1Window).Unix(), back.Unix())
	}
}

// changedIn pages through a list until a page has nothing that is new or tells of a later
// time. V1 does not tell when it changed a payment last, which may be later than what
// happened to it: so a page that has anything new is no end either.
func (v *v1) changedIn(ctx context.Context, list string, since time.Time,
	do func([]Changed) (bool, error),
) (latest time.Time, err error) {
	for number, limit := 1, v1Glance; ; number++ {
		page, err := v.listed(ctx, "changed", list, number, limit)
		if err != nil {
			return latest, err
		}
		more, err := do(changes(page))
		if err != nil {
			return latest, err
		}
		for i := range page {
			more = more || !page[i].changed.Before(since)
			if page[i].changed.After(latest) {
				latest = page[i].changed
			}
		}
		switch {
		case len(page) < limit || !more:
			return latest, nil
		case limit == v1Glance: // pages of another size begin elsewhere
			number, limit = 0, v1Page
		}
	}
}

// eachChanged lists what has changed longest ago first. Each page begins with the time
// that the one before ended with: what changes meanwhile comes to the end, and would move
// another past a page's end. Only what has changed in one instant needs page numbers.
func (v *v2) eachChanged(ctx context.Context, since time.Time, do func([]Changed) (bool, error)) (until time.Time,
	all bool, err error,
) {
	var ask v2List
	ask.Page.Size = v2Page
	ask.Filter.TimestampType, ask.Filter.SortBy, ask.Filter.From = "STATUS_CHANGED_AT", "STATUS_CHANGED_AT", since.UTC()
	for range v2Changes {
		page, total, err := v.listed(ctx, "changed", ask)
		if err != nil || len(page) == 0 {
			return until, err == nil, err
		}
		if _, err := do(changes(page)); err != nil {
			return until, false, err
		}
		for i := range page {
			if page[i].changed.After(until) {
				until = page[i].changed
			}
		}
		switch {
		case ask.Page.Number == 0 && len(page) == total:
			return until, true, nil
		case until.After(ask.Filter.From):
			ask.Filter.From, ask.Page.Number = until.UTC(), 0
		default:
			ask.Page.Number++
		}
	}
	return until, false, nil
}

// changes are the payments of a page.
func changes(page []found) []Changed {
	all := make([]Changed, len(page))
	for i, f := range page {
		all[i] = Changed{Order: f.order, Attempt: f.attempt, Payment: f.payment, Err: f.err}
	}
	return all
}
