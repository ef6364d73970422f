package store

import (
	"context"
	"fmt"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Fields of a sale's hash reconcile, one of each for each of PortOne's versions.
const (
	untilField         = "v%d_until"   // milliseconds
	readField          = "v%d_read"    // milliseconds
	markedTroubleField = "v%d_trouble" // text
)

// ClaimReconciling lets the holder of the token compare a sale with PortOne's lists of changes,
// until the lease ends. It returns gate.ErrClaimed while another gate has the lease, and
// gate.ErrNoSale.
func (s *Store) ClaimReconciling(ctx context.Context, sale, token string,
	lease time.Duration,
) (gate.Reconciling, error) {
	reply, hash, err := s.lease(ctx, sale, keysOf(sale).reconcile, "claim", token, lease)
	if err != nil {
		return gate.Reconciling{}, err
	}
	r := parseReconciling(hash)
	r.Now = time.UnixMilli(number(reply, 1))
	return r, nil
}

// KeepReconciling renews the lease of the holder of the token; a lease of 0 gives it up. It returns
// gate.ErrClaimed if another gate has claimed the sale meanwhile or the run is over, and
// gate.ErrNoSale.
func (s *Store) KeepReconciling(ctx context.Context, sale, token string, lease time.Duration) error {
	_, _, err := s.lease(ctx, sale, keysOf(sale).reconcile, "keep", token, lease)
	return err
}

// MarkReconciled does what KeepReconciling does, and writes down how far a version's list was read.
func (s *Store) MarkReconciled(ctx context.Context, sale, token string, lease time.Duration, version gate.Version,
	m gate.Mark,
) error {
	_, _, err := s.lease(ctx, sale, keysOf(sale).reconcile, "keep", token, lease,
		fmt.Sprintf(untilField, version), instantText(m.Until), fmt.Sprintf(readField, version), instantText(m.Read),
		fmt.Sprintf(markedTroubleField, version), cut(m.Trouble, longestReason))
	return err
}

// Reconciling reads how far a sale was compared with PortOne's lists of changes. It returns
// gate.ErrNoSale if the sale is gone.
func (s *Store) Reconciling(ctx context.Context, sale string) (gate.Reconciling, error) {
	state, err := s.Sale(ctx, sale)
	if err == nil && !state.Deleted.IsZero() {
		err = gate.ErrNoSale
	}
	if err != nil {
		return gate.Reconciling{}, err
	}
	hash, err := s.client.HGetAll(ctx, keysOf(sale).reconcile).Result()
	if err != nil {
		return gate.Reconciling{}, fmt.Errorf("read how far sale %s was compared with PortOne: %w", sale, err)
	}
	r := parseReconciling(hash)
	r.Now = state.Now
	return r, nil
}

// parseReconciling reads a sale's hash reconcile. A mark that cannot be read counts as zero, so
// everything is compared again.
func parseReconciling(hash map[string]string) (r gate.Reconciling) {
	for version := 1; version < len(r.Marks); version++ {
		var p parser
		m := gate.Mark{
			Until: p.Time(hash[fmt.Sprintf(untilField, version)]), Read: p.Time(hash[fmt.Sprintf(readField, version)]),
			Trouble: hash[fmt.Sprintf(markedTroubleField, version)],
		}
		if p.Err == nil {
			r.Marks[version] = m
		}
	}
	return r
}

// instantText writes a time in milliseconds; empty for the zero time.
func instantText(t time.Time) any {
	if t.IsZero() {
		return ""
	}
	return t.UnixMilli()
}
