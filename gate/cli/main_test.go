package cli

import (
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flashgate/flashgate/gate/redistest"
)

// TestMain makes this test binary the program too: as "flashgate" it is found
// on the PATH of every test, so that tests run it as processes of their own.
func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=10") // by default each process would end a second late
	testscript.Main(redistest.Forgetting{M: m}, map[string]func(){
		"flashgate": func() {
			go dieWith(os.Getppid())
			os.Exit(Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr, "v0.0.0-test"))
		},
	})
}

// dieWith ends this process when its parent has ended, so that a test binary
// that is killed leaves no gate behind.
func dieWith(parent int) {
	for os.Getppid() == parent {
		time.Sleep(200 * time.Millisecond)
	}
	os.Exit(3)
}
