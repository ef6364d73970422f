package cli

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

// TestMain makes this test binary the program too: as "flashgate" it is found
// on the PATH of every test, so that tests run it as processes of their own.
func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=10") // by default each process would end a second late
	testscript.Main(redistest.Forgetting{M: m}, map[string]func(){
		"flashgate": func() {
			testkit.EndWithParent()
			os.Exit(Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr, "v0.0.0-test"))
		},
	})
}
