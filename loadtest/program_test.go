package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/loadtest/bench"
)

func TestCommandLines(t *testing.T) {
	t.Parallel()
	f := func(line string, status int, want string, environ ...string) {
		t.Helper()
		var out, errOut bytes.Buffer
		if got := run(strings.Fields(line), environ, &out, &errOut); got != status ||
			!strings.Contains(out.String()+errOut.String(), want) {
			t.Errorf("%s, %q: status %d, %s%s, want %d, %s", line, environ, got, out.String(),
				errOut.String(), status, want)
		}
	}
	f("version", 0, "flashgate-loadtest dev\n")
	f("--help", 0, "FLASHGATE_ROUNDS")
	f("bench --help", 0, "--connecting=KIND,…")
	f("bench --help", 0, "needs wrk, redis-server and go")
	f("bench --rounds 0", 2, "--rounds 0: must be at least 1")
	f("bench", 2, "FLASHGATE_ROUNDS is set and empty", "FLASHGATE_ROUNDS=")
	f("bench", 2, "--burst 0", "FLASHGATE_BURST=0")
	f(bench.ServerCommand+" gate 127.0.0.1:1 127.0.0.1:2", 1, "own use")
	f(bench.ClientCommand+" {}", 1, "own use")
	f("launch --admin-token sesame", 2,
		"FLASHGATE_ADMIN_TOKEN=... flashgate-loadtest launch\nor give --admin-token-file FILE")
	f("version", 0, "warning: FLASHGATE_ROUNDZ is the variable of no flag: did you mean FLASHGATE_ROUNDS?",
		"FLASHGATE_ROUNDZ=1")
}

// The simulator's own secrets are for tests, and stay flags: only the flag that there is none of is refused.
func TestTheSimulatorsSecretsAreTakenAsFlags(t *testing.T) {
	t.Parallel()
	line := strings.Fields("--nonsense portone-sim --v1-secret sim --v2-secret sim --v2-webhook-secret whsec_sim " +
		"--shop-secret whsec_sim")
	var out, errOut bytes.Buffer
	if status := run(line, nil, &out, &errOut); status != 2 || !strings.Contains(errOut.String(), "flag --nonsense\n") {
		t.Errorf("status %d, %s", status, errOut.String())
	}
}

// A shell that rehearses may have the settings of gates.
func TestSettingsOfGatesAreNoWarning(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	status := run([]string{"version"}, []string{"FLASHGATE_WAIT_REPLICAS=1", "FLASHGATE_REDIS=redis://r"}, &out,
		&errOut)
	if status != 0 || errOut.Len() > 0 {
		t.Errorf("status %d, %s", status, errOut.String())
	}
}
