package mirror_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// follower reads a server.
type follower struct {
	server      *server
	own         *link // beside the server's; changed under the server's lock
	connections int
	id          string
	connected   bool
	cuts        int // of both links, when it connected
}

func (f *follower) Server() (string, int) { return f.id, f.connections }

// call waits until the server answers, and connects.
func (f *follower) call(ctx context.Context) error {
	for _, l := range f.links() {
		if err := f.lasts(ctx, l.delay, nil); err != nil {
			return err
		}
		if l.frozen != nil {
			if err := f.lasts(ctx, time.Hour, l.frozen); err != nil {
				return err
			}
		}
		if l.down != nil {
			f.connected = false
			return l.down
		}
	}
	s := f.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if cuts := s.cuts + f.own.cuts; !f.connected || f.id != s.id || f.cuts != cuts {
		f.connected, f.id, f.cuts = true, s.id, cuts
		f.connections++
	}
	return nil
}

func (f *follower) links() [2]link {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	return [2]link{f.server.link, *f.own}
}

// lasts waits for so long, or until over is closed.
func (f *follower) lasts(ctx context.Context, d time.Duration, over <-chan struct{}) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
	case <-ctx.Done():
		f.connected = false
		return ctx.Err()
	}
	return nil
}

// holds returns an error where the connection was lost.
func (f *follower) holds() error {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	if f.id != f.server.id || f.cuts != f.server.cuts+f.own.cuts {
		f.connected = false
		return errors.New("the connection was closed")
	}
	return nil
}

func (f *follower) State(ctx context.Context) (gate.State, error) {
	if err := f.call(ctx); err != nil {
		return gate.State{}, err
	}
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	if f.server.sale == nil {
		return gate.State{}, gate.ErrNoSale
	}
	state := f.server.sale.State
	state.Units = map[string]gate.Units{}
	for sku, u := range f.server.sale.Units {
		state.Units[sku] = u
	}
	return state, nil
}

// Scan reads two orders at a time, in the order of their ids.
func (f *follower) Scan(ctx context.Context, cursor uint64) (page []gate.Change, next uint64, err error) {
	if err := f.call(ctx); err != nil {
		return nil, 0, err
	}
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	if f.server.sale == nil {
		return nil, 0, nil
	}
	var ids []string
	for id := range f.server.sale.Records {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for i := int(cursor); i < len(ids) && len(page) < 2; i++ {
		page = append(page, gate.Change{Order: ids[i], Record: f.server.sale.Records[ids[i]].Record})
	}
	if next = cursor + 2; next >= uint64(len(ids)) {
		next = 0
	}
	return page, next, nil
}

func (f *follower) Poll(ctx context.Context, after int64, wait time.Duration) (page gate.Page, err error) {
	if err := f.call(ctx); err != nil {
		return gate.Page{}, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for first := true; ; first = false {
		s := f.server
		s.mu.Lock()
		if first && s.sale == nil {
			s.mu.Unlock()
			return gate.Page{}, gate.ErrNoSale
		}
		if first {
			page.Seq = s.sale.Seq
		}
		for _, e := range s.ledger {
			if e.Seq > after {
				page.Entries = append(page.Entries, e)
			}
		}
		more, late := s.more, s.late+f.own.late
		s.mu.Unlock()
		over := len(page.Entries) > 0
		if !over {
			select {
			case <-more:
			case <-timer.C:
				over = true
			case <-ctx.Done():
				f.connected = false
				return gate.Page{}, ctx.Err()
			}
		}
		if over {
			if err := f.lasts(ctx, late, nil); err != nil {
				return gate.Page{}, err
			}
			page.Whole = true
			return page, f.holds()
		}
		if err := errors.Join(f.holds(), f.hindered(ctx)); err != nil {
			return gate.Page{}, err
		}
	}
}

// hindered waits while replies do not come, and returns why none will.
func (f *follower) hindered(ctx context.Context) error {
	for _, l := range f.links() {
		if l.frozen != nil {
			if err := f.lasts(ctx, time.Hour, l.frozen); err != nil {
				return err
			}
		}
		if l.down != nil {
			f.connected = false
			return l.down
		}
	}
	return nil
}

func (f *follower) Close() error { return nil }
