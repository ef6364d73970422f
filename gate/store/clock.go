package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
)

// clock is the argument that tells scripts this process's time, beside Redis' own. A test that sets
// Redis' clock writes both, as luascripts/prelude.lua says.
func (s *Store) clock() any {
	switch {
	case s.deps.Now == nil:
		return s.deps.Own().UnixMilli()
	case s.deps.Own == nil:
		return fmt.Sprintf("=%d", s.deps.Now().UnixMilli())
	}
	return fmt.Sprintf("=%d,%d", s.deps.Now().UnixMilli(), s.deps.Own().UnixMilli())
}

// own is this process's clock. In a test without Own it is Redis' clock.
func (s *Store) own() time.Time {
	if s.deps.Own == nil {
		return s.deps.Now()
	}
	return s.deps.Own()
}

// clockPrefix begins the error of a script that finds Redis' clock in doubt. Its
// time and the caller's follow, in milliseconds.
const clockPrefix = "CLOCK "

// doubted turns the error of a script that doubts Redis' clock into a *gate.ClockError. Any other
// error is returned as it is.
func doubted(err error) error {
	var server, own int64
	if !redis.HasErrorPrefix(err, clockPrefix) {
		return err
	}
	if _, unread := fmt.Sscanf(err.Error(), clockPrefix+"%d %d", &server, &own); unread != nil {
		return err
	}
	return &gate.ClockError{Redis: time.UnixMilli(server), Own: time.UnixMilli(own)}
}

// times reads the clocks from a reply of the script sale.
func (s *Store) times(reply []any) gate.Times {
	server, own := time.UnixMilli(number(reply, 2)), s.own()
	t := gate.Times{Now: time.UnixMilli(number(reply, 0)), Ahead: server.Sub(own)}
	if reply[0] == nil {
		t.Now, t.Doubt = own, &gate.ClockError{Redis: server, Own: own}
	}
	return t
}

// CheckClock returns an error, which says what to do, if Redis' clock and this process's are so far
// apart that scripts may doubt Redis'. It returns a *gate.UnknownError if that could not be
// checked.
func (s *Store) CheckClock(ctx context.Context) error {
	return s.eachPrimary(ctx, func(ctx context.Context, primary *redis.Client) error {
		server, err := primary.Time(ctx).Result()
		if err != nil {
			return &gate.UnknownError{Reason: "Redis could not be asked for its time"}
		}
		if own := s.own(); server.Sub(own).Abs() > gate.ClockTolerance {
			return errors.New((&gate.ClockError{Redis: server, Own: own}).Difference() +
				". Until then what Redis decides may be refused")
		}
		return nil
	})
}
