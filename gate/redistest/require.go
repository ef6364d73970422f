package redistest

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Require returns the path of a program that the test cannot do without. Where
// it is missing, the test is skipped; it fails instead if CI or
// REQUIRE_SERVERS is set, so that nothing goes untested unseen.
func Require(t testing.TB, program string) string {
	t.Helper()
	// Debian has some servers there, off most users' PATH
	for _, name := range []string{program, "/usr/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	without(t, program+" is not installed: run `make deps`, or install it and put it on the PATH")
	return ""
}

// RequireModules demands that the npm packages of a folder are installed. Where
// they are not, the test is skipped or fails as with Require.
func RequireModules(t testing.TB, folder string) {
	t.Helper()
	// npm writes this file when all the others are there.
	if _, err := os.Stat(filepath.Join(folder, "node_modules", ".package-lock.json")); err != nil {
		without(t, "the npm packages of "+folder+" are not installed: run `make deps`, or `npm ci` there")
	}
}

// without ends a test that something is missing for.
func without(t testing.TB, advice string) {
	t.Helper()
	if cmp.Or(os.Getenv("CI"), os.Getenv("REQUIRE_SERVERS")) != "" {
		t.Fatal(advice)
	}
	t.Skip(advice)
}

// patience is how long a server may take to reach a state. It is generous: a
// busy machine is slow, and a test that passes does not wait for it.
const patience = 30 * time.Second

func await(t testing.TB, what string, check func() error) {
	t.Helper()
	Await(t, patience, what, check)
}

// Await polls until check returns nil, and fails the test if it does not for as
// long as patience. It pauses a tenth of the time that it has waited, 10 to 100 ms: many
// tests wait at once, and what polls without a pause takes the machine from what it waits for.
func Await(t testing.TB, patience time.Duration, what string, check func() error) {
	t.Helper()
	began := time.Now()
	for {
		err := check()
		if err == nil {
			return
		}
		waited := time.Since(began)
		if waited > patience {
			t.Fatalf("waited %v for %s: %v", patience, what, err)
		}
		time.Sleep(min(max(waited/10, 10*time.Millisecond), 100*time.Millisecond))
	}
}
