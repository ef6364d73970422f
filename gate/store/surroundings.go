package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/flashgate/flashgate/gate"
)

// Hosts returns where Redis is, as the address says it: without its user, its
// password and its options.
func (s *Store) Hosts() string { return strings.Join(s.address.hosts, ",") }

// CheckPersistence returns what is wrong with how Redis keeps what it has over a
// restart, and what to do about it. A *gate.UnknownError says that nobody could tell.
func (s *Store) CheckPersistence(ctx context.Context) error {
	return s.checkInfo(ctx, "persistence",
		"whether it keeps its data over a restart: make sure that appendonly is yes", losesData)
}

// CheckMinReplicas returns an error if Redis takes writes while no replica follows,
// and what to do about it. A *gate.UnknownError says that nobody could tell.
func (s *Store) CheckMinReplicas(ctx context.Context) error {
	return s.checkInfo(ctx, "replication",
		"whether it takes writes without a replica: make sure that min-replicas-to-write is 1", writesAlone)
}

// errUntold says that INFO has not what is looked for.
var errUntold = errors.New("INFO does not say")

// checkInfo has a section of each primary's INFO judged, and returns the first fault.
// unsaid is what it is not known about, where Redis does not tell, and what to do.
func (s *Store) checkInfo(ctx context.Context, section, unsaid string, fault func(info string) error) error {
	infos, err := s.infos(ctx, section)
	switch {
	case err != nil && saysNothing(err):
		return &gate.UnknownError{Reason: "Redis does not tell " + unsaid}
	case err != nil: // of which the reading of the sales tells, with its reason
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

// losesData says why a Redis with this INFO forgets orders when it restarts.
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

// writesAlone says why a Redis with this INFO takes writes without a replica. How
// many good ones it has INFO tells only where that counts.
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
