package testkit

import (
	"errors"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
)

// patience is how long something may take to come about. It is generous: a busy
// machine is slow, and a test that passes does not wait for it.
const patience = 90 * time.Second

// Await polls until check returns nil, and fails the test with its last error after 90 s.
func Await(t testing.TB, what string, check func() error) {
	t.Helper()
	redistest.Await(t, patience, what, check)
}

// Drive calls step every 10 ms until it returns nil, and fails the test with its last error after
// 90 s. It is for a step that moves on what it waits for, such as a clock: Await pauses for longer.
func Drive(t testing.TB, what string, step func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := step()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s: %v", patience, what, err)
		}
	}
}

// Until polls until done returns true, and fails the test after 90 s.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	Await(t, what, func() error {
		if !done() {
			return errors.New("it is not so yet")
		}
		return nil
	})
}
