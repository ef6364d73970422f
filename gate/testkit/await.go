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
