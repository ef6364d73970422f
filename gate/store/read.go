package store

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// readAtOnce is how many sales one round trip reads: so few that the replies of the largest sales
// come within the time of one call.
const readAtOnce = 32

// readings are the sales as they were last read.
type readings struct {
	mu    sync.Mutex
	known map[string]reading
}

// reading is a sale as it was last read, with what lets the script tell whether it has changed.
type reading struct {
	state     gate.State
	seq, time string
	settings  string // their SHA-1
}

// Read implements lane.Store. It reads many sales at a time, and of a sale that was read before
// only the changes.
func (s *Store) Read(ctx context.Context, names []string) map[string]gate.Reading {
	read := make(map[string]gate.Reading, len(names))
	for len(names) > 0 {
		some := names[:min(readAtOnce, len(names))]
		names = names[len(some):]
		calls := make([]scriptCall, len(some))
		for i, name := range some {
			calls[i] = s.readCall(name)
		}
		for i, cmd := range s.runAll(ctx, luascripts.Sale, calls) {
			read[some[i]] = s.take(some[i], cmd)
		}
	}
	return read
}

// readCall is the call of the script for a sale, with what was last read.
func (s *Store) readCall(name string) scriptCall {
	s.readings.mu.Lock()
	defer s.readings.mu.Unlock()
	call := scriptCall{[]string{keysOf(name).sale}, []any{s.clock()}}
	if r, ok := s.readings.known[name]; ok {
		call.args = append(call.args, r.seq, r.time, r.settings)
	}
	return call
}

// take reads the script's reply and remembers it.
func (s *Store) take(name string, cmd *redis.Cmd) gate.Reading {
	s.readings.mu.Lock()
	defer s.readings.mu.Unlock()
	known := s.readings.known
	before, wasKnown := known[name]
	delete(known, name) // after an error below, the sale is read whole next time
	reply, err := cmd.Slice()
	switch {
	case err != nil && strings.Contains(err.Error(), "WRONGTYPE"):
		return gate.Reading{Err: &gate.UnreadableError{Sale: name, Err: err}}
	case err != nil:
		return gate.Reading{Err: fmt.Errorf("read sale %s: %w", name, err)}
	}
	after, times := before, s.times(reply)
	if fields, changed := reply[1].([]any); changed {
		if after, err = parseReading(name, times, fields, &before); err != nil {
			return gate.Reading{Err: err}
		}
	} else if !wasKnown {
		return gate.Reading{Err: unknownReply(luascripts.Sale, reply)}
	}
	after.state.Times = times
	known[name] = after
	return gate.Reading{State: after.state, Set: after.settings != before.settings}
}

// parseReading reads a sale's fields. Its settings are empty if they are the known ones.
func parseReading(name string, times gate.Times, fields []any, known *reading) (reading, error) {
	hash := hashOf(fields)
	if len(hash) == 0 {
		return reading{}, gate.ErrNoSale
	}
	r := reading{seq: hash["seq"], time: hash["time"], settings: known.settings}
	settings := &known.state.Settings
	if text, there := hash["settings"]; !there || text != "" {
		sum := sha1.Sum([]byte(text))
		r.settings, settings = hex.EncodeToString(sum[:]), nil
	}
	var err error
	if r.state, err = parseState(name, times, hash, settings); err != nil {
		return reading{}, &gate.UnreadableError{Sale: name, Err: err}
	}
	return r, nil
}
