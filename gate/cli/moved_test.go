package cli

import (
	"strings"
	"testing"
)

func TestCommandsThatMovedSayWhatTheyAreNow(t *testing.T) {
	t.Parallel()
	f := func(line, name, now string) {
		t.Helper()
		want := "flashgate: rehearsing has a program of its own: " + name + " is flashgate-loadtest " + now +
			" now (from the source: go run ./loadtest " + now + ")\n"
		if status, text := said(line); status != 2 || text != want {
			t.Errorf("flashgate %s: %d %s, want %s", line, status, text, want)
		}
	}
	f("demo", "demo", "demo")
	f("demo --tickets 5", "demo", "demo")
	f("loadtest --target http://g --admin-token sesame", "loadtest", "launch")
	f("loadtest run --target http://g", "loadtest", "launch")
	f("loadtest targets --target http://g", "loadtest", "targets")
	f("portone-sim --help", "portone-sim", "portone-sim")
	if status, _ := said("version"); status != 0 {
		t.Errorf("version: %d", status)
	}
}

// A shell may have settings of the simulator. What else rehearsing alone reads is, to a
// gate, a variable that nothing reads.
func TestServeLeavesTheSimulatorsSettingsAlone(t *testing.T) {
	t.Parallel()
	if status, text := said(serveNowhere, "FLASHGATE_SIM_LISTEN=127.0.0.1:8081"); status != 1 ||
		strings.Contains(text, "FLASHGATE_SIM") {
		t.Errorf("the simulator's: %d %s", status, text)
	}
	if status, text := said(serveNowhere, "FLASHGATE_DEMAND=5"); status != 2 ||
		!strings.Contains(text, "FLASHGATE_DEMAND is the variable of no flag") {
		t.Errorf("the launch's: %d %s", status, text)
	}
}
