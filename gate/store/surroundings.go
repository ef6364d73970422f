package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/flashgate/flashgate/gate"
)

// Hosts returns the hosts of the Redis address, with commas between; never its user, password or
// options.
func (s *Store) Hosts() string { return strings.Join(s.address.hosts, ",") }

// CheckPersistence returns an error, which says what to do, if Redis would lose data by a restart.
// It returns a *gate.UnknownError if that could not be checked.
func (s *Store) CheckPersistence(ctx context.Context) error {
	return s.checkInfo(ctx, "persistence",
		"whether it keeps its data over a restart: make sure that appendonly is yes", losesData)
}

// CheckMinReplicas returns an error, which says what to do, if Redis takes writes while no replica
// follows. It returns a *gate.UnknownError if that could not be checked.
func (s *Store) CheckMinReplicas(ctx context.Context) error {
	return s.checkInfo(ctx, "replication",
		"whether it takes writes without a replica: make sure that min-replicas-to-write is 1", writesAlone)
}

// errUntold says that INFO lacks the field that is needed.
var errUntold = errors.New("INFO does not say")

// checkInfo calls fault with a section of each primary's INFO, and returns the first fault. If
// Redis does not show it, unsaid words what is unknown, and what to do.
func (s *Store) checkInfo(ctx context.Context, section, unsaid string, fault func(info string) error) error {
	infos, err := s.infos(ctx, section)
	switch {
	case err != nil && saysNothing(err):
		return &gate.UnknownError{Reason: "Redis does not tell " + unsaid}
	case err != nil: // the reading of the sales logs the reason
		return &gate.UnknownError{Reason: "Redis could not be asked"}
	}
	for _, i := range infos {
		switch err := fault(i.text); {
		case errors.Is(err, errUntold):
			return &gate.UnknownError{Reason: "Redis does not tell " + unsaid}
		case err != nil && i.addr != "":
			return fmt.Errorf("%s: %w", i.addr, err)
		case err != nil:
			return err
		}
	}
	return nil
}

// losesData returns why a Redis with this INFO would lose orders by a restart, or nil.
func losesData(info string) error {
	snapshots := ""
	switch {
	case infoField(info, "rdb_last_bgsave_status") == "err":
		snapshots = ", and the last one failed"
	case infoField(info, "rdb_saves") == "0":
		snapshots = ", of which it has made none since it started"
	}
	switch infoField(info, "aof_enabled") {
	case "":
		return errUntold
	case "0":
		return fmt.Errorf("this Redis writes no append-only file: a restart takes every order with it that came "+
			"after its last snapshot%s. "+
			"Set appendonly yes, by CONFIG SET and in redis.conf, at every server", snapshots)
	}
	if infoField(info, "aof_last_write_status") == "err" {
		return errors.New("this Redis cannot write its append-only file, and takes no writes: make room on its disk; " +
			"its log says more")
	}
	return nil
}

// writesAlone returns an error if a Redis with this INFO takes writes without a replica. INFO has
// the number of good replicas only if min-replicas-to-write is set.
func writesAlone(info string) error {
	switch {
	case infoField(info, "role") == "":
		return errUntold
	case infoField(info, "min_slaves_good_slaves") == "":
		return errors.New("this Redis takes writes also while no replica follows, so a primary that was cut off goes " +
			"on with what nobody else learns of: set min-replicas-to-write 1 and min-replicas-max-lag 10, by CONFIG " +
			"SET and in redis.conf, at every server")
	}
	return nil
}
