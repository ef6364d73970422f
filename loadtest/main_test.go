package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flashgate/flashgate/gate/cli"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

// TestMain makes this test binary both programs too: as "flashgate" and as
// "flashgate-loadtest" it is found on the PATH of every test, so that tests run them as
// processes of their own.
func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=10") // by default each process would end a second late
	testscript.Main(redistest.Forgetting{M: m}, map[string]func(){
		"flashgate": func() {
			testkit.EndWithParent()
			os.Exit(cli.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr, "v0.0.0-test"))
		},
		"flashgate-loadtest": func() {
			testkit.EndWithParent()
			os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
		},
	})
}
