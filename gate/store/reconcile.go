package store

import (
	"context"
	"fmt"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Fields of a sale's reconcile, each for one of PortOne's versions.
const (
	untilField         = "v%d_until"   // milliseconds
	readField          = "v%d_read"    // milliseconds
	markedTroubleField = "v%d_trouble" // text
)

// ClaimReconciling makes the holder of the token the one that compares a sale's orders
// with what has changed at PortOne, for as long as the lease lasts. It returns
// gate.ErrClaimed while somebody else does, and gate.ErrNoSale.
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

// KeepReconciling renews the lease of the holder of the token; a lease of 0 gives it up.
// It returns gate.ErrClaimed where somebody else has claimed it meanwhile or the run is
// over, and gate.ErrNoSale.
func (s *Store) KeepReconciling(ctx context.Context, sale, token string, lease time.Duration) error {
	_, _, err := s.lease(ctx, sale, keysOf(sale).reconcile, "keep", token, lease)
	return err
}

// MarkReconciled is KeepReconciling, and writes down how far a version's list was read.
func (s *Store) MarkReconciled(ctx context.Context, sale, token string, lease time.Duration, version gate.Version,
	m gate.Mark,
) error {
	_, _, err := s.lease(ctx, sale, keysOf(sale).reconcile, "keep", token, lease,
		fmt.Sprintf(untilField, version), instantText(m.Until), fmt.Sprintf(readField, version), instantText(m.Read),
		fmt.Sprintf(markedTroubleField, version), cut(m.Trouble, longestReason))
	return err
}

// Reconciling reads how far a sale's orders were compared with what has changed at
// PortOne. It returns gate.ErrNoSale where the sale is gone.
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

// parseReconciling reads a sale's reconcile. A mark that cannot be read counts as none:
// then all is compared again.
func parseReconciling(hash map[string]string) (r gate.Reconciling) {
	for version := 1; version < len(r.Marks); version++ {
		var p parser
		m := gate.Mark{
			Until: p.time(hash[fmt.Sprintf(untilField, version)]), Read: p.time(hash[fmt.Sprintf(readField, version)]),
			Trouble: hash[fmt.Sprintf(markedTroubleField, version)],
		}
		if p.err == nil {
			r.Marks[version] = m
		}
	}
	return r
}

// instantText writes a time in milliseconds, empty for none.
func instantText(t time.Time) any {
	if t.IsZero() {
		return ""
	}
	return t.UnixMilli()
}
