package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

// shell runs commands of the program as somebody in a gate's pod does: with its
// environment.
type shell struct {
	t     *testing.T
	redis *redistest.Server
	sale  map[int]string // files of the sale, by its stock
}

func openShell(t *testing.T, redis *redistest.Server) *shell {
	s := &shell{t, redis, map[int]string{}}
	for _, stock := range []int{10, 100} {
		s.sale[stock] = testkit.SaleFile(t, laterSale("race", stock))
	}
	return s
}

// laterSale is a sale file of a sale that has yet to open.
func laterSale(name string, stock int) string {
	return strings.Replace(openSale(name, stock), "2020-01-01", "2099-01-01", 1)
}

// run returns the exit status of a command, and what it said.
func (s *shell) run(args ...string) (status int, out, errOut string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("flashgate", args...)
	cmd.Env = append(os.Environ(), "FLASHGATE_REDIS="+s.redis.URL(), "FLASHGATE_WAIT_REPLICAS=1",
		"FLASHGATE_WAIT_TIMEOUT=100ms")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// unsecured wants a command to do something, to say that no replica has it, and to
// end with status 1.
func (s *shell) unsecured(did string, args ...string) {
	s.t.Helper()
	status, out, errOut := s.run(args...)
	if want := "it is done, but only 0 of 1 replicas are known to have what was changed of sale race"; status != 1 ||
		!strings.Contains(out, did) || !strings.Contains(errOut, want) ||
		!strings.Contains(errOut, "do the same again") {
		s.t.Errorf("flashgate %s: status %d, %q, %q; want 1, %q, %q", strings.Join(args, " "), status, out,
			errOut, did, want)
	}
}

// secured wants a command to do something without a word of trouble.
func (s *shell) secured(did string, args ...string) {
	s.t.Helper()
	await(s.t, strings.Join(args, " ")+" to be secured", func() error {
		if status, out, errOut := s.run(args...); status != 0 || !strings.Contains(out, did) ||
			strings.Contains(errOut, "a failover may forget") {
			return fmt.Errorf("status %d, %q, %q", status, out, errOut)
		}
		return nil
	})
}

// The stock is lowered from 100 to 10 while the replica stalls: the command says
// that it has not. A repeat makes sure, and then the change survives the primary.
func TestALoweredStockSurvivesThePrimaryOrIsSaidNotTo(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := redistest.StartReplica(t, primary)
	s := openShell(t, primary)
	s.secured("race: ", "apply", "-f", s.sale[100]) // created, and again until the replica has it

	replica.Stop()
	s.unsecured("race: changed\n  skus.unit.stock: 100 -> 10", "apply", "-f", s.sale[10])
	s.unsecured("race: unchanged", "apply", "-f", s.sale[10])
	s.unsecured("race: paused", "pause", "race")
	s.unsecured("race: paused already", "pause", "race")
	s.unsecured("race: on sale", "resume", "race")
	s.unsecured("tells nobody", "undelivered", "--retry", "race")
	if status, out, errOut := s.run("apply", "--dry-run", "-f", s.sale[100]); status != 0 {
		t.Errorf("a dry run: status %d, %q, %q", status, out, errOut)
	}
	if got := readStatus(t, primary.URL(), "race").SKUs[0].Total; got != 10 {
		t.Errorf("the primary has a stock of %d", got)
	}

	replica.Continue()
	s.secured("race: unchanged", "apply", "-f", s.sale[10])
	primary.Kill()
	replica.Promote()
	if got := readStatus(t, replica.URL(), "race"); got.SKUs[0].Total != 10 || got.State != "not_open" {
		t.Errorf("the promoted replica has %+v", got)
	}
}

// A command without replicas says so for each change, and deletes all the same.
func TestWithoutAReplicaEveryChangeIsSaidToBeUnsecured(t *testing.T) {
	t.Parallel()
	s := openShell(t, redistest.Start(t))
	s.unsecured("race: created", "apply", "-f", s.sale[10])
	s.unsecured("race: deleted", "delete", "race")
	s.unsecured("", "delete", "race") // it is not said to be gone before a replica knows
	for _, command := range []string{
		"pause race", "resume race", "status --refunds race", "undelivered race", "undelivered --retry race",
		"audit race", "order race o1",
		"archive race --to " + t.TempDir() + "/race.jsonl",
	} {
		if status, _, errOut := s.run(strings.Fields(command)...); status != 1 ||
			!strings.Contains(errOut, "sale race was deleted at ") {
			t.Errorf("%s of a deleted sale: status %d, %q", command, status, errOut)
		}
	}
	if status, _, errOut := s.run("pause", "--wait-replicas=-1", "race"); status != 1 ||
		!strings.Contains(errOut, "--wait-replicas -1: must be 0") {
		t.Errorf("a negative number: status %d, %q", status, errOut)
	}
	for _, timeout := range []string{"9ms", "61s"} {
		if status, _, errOut := s.run("pause", "--wait-timeout", timeout, "race"); status != 1 ||
			!strings.Contains(errOut, "must be between 10ms and 1m") {
			t.Errorf("%s: status %d, %q", timeout, status, errOut)
		}
	}
}

// A finished sale is archived, and what its removal came to is said too.
func TestTheRemovalOfAnArchivedSaleIsSecured(t *testing.T) {
	t.Parallel()
	s := openShell(t, redistest.Start(t))
	applySale(t, s.redis.URL(), closedSale("race"))
	s.unsecured("race: deleted", "archive", "race", "--to", t.TempDir()+"/race.jsonl", "--remove")
}

// The API answers 504 where it is done but not secured. A gate starts all the
// same with a sale that it has created so.
func TestTheAPISaysThatAChangeIsNotSecured(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	p := startGate(t, "--redis", redis.URL(), "--allow-unsigned", "--wait-replicas", "1", "--wait-timeout", "50ms",
		"--sales", testkit.SaleFile(t, laterSale("swim", 5)))
	if _, said := p.logged("created a sale that a failover may forget"); !said {
		t.Error("the gate does not say that no replica has the sale")
	}
	const sale = `{"name":"race","opens_at":"2099-01-01T00:00:00Z","closes_at":"2100-01-01T00:00:00Z","skus":[{"name":"unit","stock":10}]}`
	f := func(method, path, body string, want int, part string) {
		t.Helper()
		if status, text := p.ask(t, "", method, "/v1/sales/race"+path, body); status != want ||
			!strings.Contains(text, part) {
			t.Errorf("%s %s: %d %s, want %d %q", method, path, status, text, want, part)
		}
	}
	for range 2 {
		f("PUT", "", sale, http.StatusGatewayTimeout, `"done": true`)
		f("POST", "/pause", "", http.StatusGatewayTimeout, `"wanted": 1`)
	}
	f("GET", "", "", http.StatusOK, `"state": "paused"`)
	f("POST", "/resume", "", http.StatusGatewayTimeout, `"replicas": 0`)
	f("DELETE", "", "", http.StatusGatewayTimeout, "it is done, but only 0 of 1 replicas")
	f("GET", "", "", http.StatusOK, `"state": "deleted"`)
}
