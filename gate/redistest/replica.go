package redistest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// StartReplica runs a replica of the primary and waits until it has all that
// the primary has, and counts for its WAIT.
func StartReplica(t testing.TB, primary *Server, args ...string) *Server {
	t.Helper()
	replicaOf := []string{"--replicaof", "127.0.0.1", strconv.Itoa(primary.Port())}
	replica := start(t, primary.authority, func(s *Server) ([]string, error) {
		return append(append(s.baseArgs(), replicaOf...), args...), nil
	})
	await(t, "the replica to be in sync", func() error { return inSync(primary, replica) })
	return replica
}

func inSync(primary, replica *Server) error {
	above, err := primary.info("INFO", "replication")
	if err != nil {
		return err
	}
	below, err := replica.info("INFO", "replication")
	if err != nil {
		return err
	}
	if below["master_link_status"] != "up" {
		return fmt.Errorf("its link is %q", below["master_link_status"])
	}
	sent, err := strconv.Atoi(above["master_repl_offset"])
	if err != nil {
		return fmt.Errorf("reading the primary's offset: %w", err)
	}
	received, err := strconv.Atoi(below["slave_repl_offset"])
	if err != nil {
		return fmt.Errorf("reading the replica's offset: %w", err)
	}
	if received < sent {
		return fmt.Errorf("it is %d bytes behind", sent-received)
	}
	return listedOnline(above, replica)
}

// listedOnline looks for the replica among lines such as
// slave0:ip=127.0.0.1,port=12345,state=online,offset=14,lag=0.
func listedOnline(primary map[string]string, replica *Server) error {
	online := fmt.Sprintf("ip=127.0.0.1,port=%d,state=online,", replica.Port())
	for i := 0; ; i++ {
		line, ok := primary["slave"+strconv.Itoa(i)]
		if !ok {
			return errors.New("its primary does not list it as online")
		}
		if strings.HasPrefix(line, online) {
			return nil
		}
	}
}

// Promote makes a replica a primary (REPLICAOF NO ONE).
func (s *Server) Promote() {
	s.t.Helper()
	s.Do(s.t, "REPLICAOF", "NO", "ONE")
}
