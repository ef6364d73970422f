package testkit

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// failing is a test that notes why it failed, and ends there.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// said runs what should fail, and returns the reason.
func said(do func(t testing.TB)) string {
	f := &failing{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		do(f)
	}()
	<-ended
	return f.said
}

func TestWaitingEndsWithTheConditionOrItsLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		Until(t, "the third look", func() bool { asked++; return asked == 3 })
		if asked != 3 {
			t.Errorf("looked %d times, want 3", asked)
		}
		begun := time.Now()
		for want, wait := range map[string]func(t testing.TB){
			"waited 1m30s for spring: it is winter": func(t testing.TB) {
				Await(t, "spring",
					func() error { return errors.New("it is winter") })
			},
			"waited 1m30s for rain: it is not so yet": func(t testing.TB) {
				Until(t, "rain",
					func() bool { return false })
			},
		} {
			if got := said(wait); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if waited := time.Since(begun); waited < 2*patience || waited > 2*patience+time.Second {
			t.Errorf("waited %v for both, want %v each", waited, patience)
		}
	})
}

func TestAClockStandsUntilItIsMoved(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_800_000_000, 0)
	c := NewClock(at)
	c.Move(time.Hour)
	c.Move(-time.Minute)
	for range 2 {
		if got, want := c.Now(), at.Add(59*time.Minute); !got.Equal(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestNowhereRefusesConnections(t *testing.T) {
	t.Parallel()
	response, err := http.Get(Nowhere(t))
	if err == nil {
		response.Body.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}
