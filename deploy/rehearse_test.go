package deploy_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

// portsOfRehearsal is how many it takes, one after the other.
const portsOfRehearsal = 20

func TestALaunchWithoutContainersAndNothingIsLeftOfIt(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"redis-server", "haproxy", "openssl"} {
		redistest.Require(t, program)
	}
	d := &deployment{t: t, dir: t.TempDir()}
	d.build()
	first, temporary := freePorts(t), t.TempDir()
	cmd := exec.CommandContext(t.Context(), "./rehearse.sh", "--demand", "300", "--rate", "60", "--timeout", "30s",
		"--within", "10s")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it ends what it has started
	cmd.WaitDelay = patience
	cmd.Env = append(os.Environ(), "FLASHGATE="+d.program, "LOADTEST="+d.loadtest, fmt.Sprint("PORT=", first),
		"TMPDIR="+temporary,
		"GATE_FLAGS=--first-look=1s --drain-wait=0s",
		// What a shell has for a real gate reaches nothing here.
		"FLASHGATE_REDIS=redis://127.0.0.1:1", "FLASHGATE_ADMIN_TOKEN=", "FLASHGATE_CURRENCY=USD",
		"FLASHGATE_LINES=a\nFLASHGATE_B=c")
	said, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "\nPASS") {
		t.Errorf("it ended with %v, and not with PASS:\n%s", err, said)
	}
	if err := inUse(first); err != nil {
		t.Errorf("afterwards %v", err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("it left files: %v, %v", left, err)
	}
}

// freePorts returns the first of as many ports as a rehearsal takes. They lie below those
// of redistest.FreePort, which the tests beside this one take.
func freePorts(t *testing.T) (first int) {
	t.Helper()
	const low, high = 5_000, 10_000 - portsOfRehearsal
	redistest.Await(t, patience, "ports in a row to be free", func() error {
		first = low + rand.IntN(high-low)
		return inUse(first)
	})
	return first
}

// inUse is not nil where a port of a rehearsal is.
func inUse(first int) (err error) {
	for port := first; port < first+portsOfRehearsal; port++ {
		ln, listening := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if listening != nil {
			err = errors.Join(err, listening)
			continue
		}
		err = errors.Join(err, ln.Close())
	}
	return err
}
