package main

import (
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flashgate/flashgate/gate/cli"
	"github.com/flashgate/flashgate/gate/redistest"
)

// TestMain makes this test binary both programs too: as "flashgate" and as
// "flashgate-loadtest" it is found on the PATH of every test, so that tests run them as
// processes of their own.
func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=10") // by default each process would end a second late
	testscript.Main(redistest.Forgetting{M: m}, map[string]func(){
		"flashgate": func() {
			go dieWith(os.Getppid())
			os.Exit(cli.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr, "v0.0.0-test"))
		},
		"flashgate-loadtest": func() {
			go dieWith(os.Getppid())
			os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
		},
	})
}

// dieWith ends this process when its parent has ended, so that a test binary that is
// killed leaves nothing behind.
func dieWith(parent int) {
	for os.Getppid() == parent {
		time.Sleep(200 * time.Millisecond)
	}
	os.Exit(3)
}
