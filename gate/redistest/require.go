package redistest

import (
	"cmp"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Require returns the path of a program that the test cannot do without. Where
// it is missing, the test is skipped; it fails instead if CI or
// FLASHGATE_REQUIRE_SERVERS is set, so that nothing goes untested unseen.
func Require(t testing.TB, program string) string {
	t.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program} { // Debian has some servers there, off most users' PATH
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const advice = "%s is not installed: run `make deps`, or install it and put it on the PATH"
	if cmp.Or(os.Getenv("CI"), os.Getenv("FLASHGATE_REQUIRE_SERVERS")) != "" {
		t.Fatalf(advice, program)
	}
	t.Skipf(advice, program)
	return ""
}

// patience is how long a server may take to reach a state. It is generous: a
// busy machine is slow, and a test that passes does not wait for it.
const patience = 30 * time.Second

// await polls until check returns nil, and fails the test if it never does.
func await(t testing.TB, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s: %v", patience, what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
