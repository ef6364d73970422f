package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cli"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/launch"
)

const (
	rehearsalKey = "k1:YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMDE="
	notifySecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" // between gates and shop
)

// rehearsedSale has prices, a limit and less stock than a rehearsal asks for.
const rehearsedSale = `sales: [{name: race, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, hold: 1h, per_buyer: 3,
accept: [v1, v2], skus: [{name: full, stock: 60, price: 80000}, {name: half, stock: 40, price: 60000}]}]`

// patience is how long something may take to come about.
const patience = 30 * time.Second

// await polls until check returns nil, and fails the test if it never does.
func await(t testing.TB, what string, check func() error) {
	t.Helper()
	redistest.Await(t, patience, what, check)
}

// rehearse runs flashgate-loadtest launch in this process.
func rehearse(t testing.TB, args ...string) (status int, out, errOut string) {
	t.Helper()
	return try(t, "launch", args...)
}

// try runs a command of this program in this process, with the secrets among its flags
// in the environment.
func try(t testing.TB, command string, args ...string) (status int, out, errOut string) {
	t.Helper()
	secrets, rest := hidden(t, append([]string{command}, args...))
	var o, e bytes.Buffer
	status = run(rest, secrets, &o, &e)
	return status, o.String(), e.String()
}

// hidden moves the secrets of a command line into an environment.
func hidden(t testing.TB, args []string) (environ, rest []string) {
	t.Helper()
	parser, err := newProgram(nil, io.Discard, io.Discard).Parser(&commands{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return testkit.SecretHider(parser)(args)
}

// command runs a command of the gate's program in this process, and returns what it
// printed. It must succeed.
func command(t testing.TB, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	environ, rest := []string{}, []string{}
	for i := 0; i < len(args); i++ {
		if args[i] == "--redis" { // its password is a secret
			environ = append(environ, "FLASHGATE_REDIS="+args[i+1])
			i++
			continue
		}
		rest = append(rest, args[i])
	}
	if status := cli.Main(rest, environ, &out, &errOut, "v0.0.0-test"); status != 0 {
		t.Fatalf("flashgate %q: status %d: %s", rest, status, errOut.String())
	}
	return out.String()
}

// process is a gate that runs as a program of its own.
type process struct {
	*redistest.Program
	listen, admin string // its addresses
}

// startGate starts a gate on free ports, and returns when it is ready.
func startGate(t testing.TB, flags ...string) *process {
	t.Helper()
	return startGateOf(t, "flashgate", flags...)
}

// startGateOf is startGate for a program that is built otherwise. The flags are given as
// variables, where secrets may stand.
func startGateOf(t testing.TB, program string, flags ...string) *process {
	t.Helper()
	cmd := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--drain-wait",
		"0s", "--log-format", "json")
	cmd.Env = append(os.Environ(), variables(flags)...)
	p := &process{Program: redistest.StartProgram(t, cmd)}
	serving := regexp.MustCompile(`"msg":"serving".*"listen":"(.*?)","admin":"(.*?)"`)
	await(t, "the gate to be ready", func() error {
		if !p.Running() {
			t.Fatalf("the gate ended: %s", p.Log())
		}
		found := serving.FindStringSubmatch(p.Log())
		if found == nil {
			return errors.New("it is not serving")
		}
		p.listen, p.admin = found[1], found[2]
		_, err := get("http://" + p.listen + "/readyz")
		return err
	})
	return p
}

// variables turns flags into what they are as variables of an environment.
func variables(flags []string) (environ []string) {
	for i, flag := range flags {
		name, isFlag := strings.CutPrefix(flag, "--")
		if !isFlag {
			continue
		}
		value := "true"
		if i+1 < len(flags) && !strings.HasPrefix(flags[i+1], "--") {
			value = flags[i+1]
		}
		environ = append(environ, "FLASHGATE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"="+value)
	}
	return environ
}

// get returns what a URL answers with 200.
func get(url string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %d: %s", url, answer.StatusCode, text)
	}
	return string(text), err
}

// metrics returns what a gate shows of itself.
func metrics(t testing.TB, p *process) string {
	t.Helper()
	text, err := get("http://" + p.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// applySale applies a sale file, given as its text.
func applySale(t testing.TB, redis, sale string) {
	t.Helper()
	command(t, "apply", "--open-now", "--redis", redis, "-f", testkit.SaleFile(t, sale))
}

// readStatus returns what `flashgate status --json` says of a sale.
func readStatus(t testing.TB, redis, sale string) (view gate.SaleView) {
	t.Helper()
	if err := json.Unmarshal([]byte(command(t, "status", "--json", "--redis", redis, sale)), &view); err != nil {
		t.Fatal(err)
	}
	return view
}

// readReport returns the report that a rehearsal wrote.
func readReport(t testing.TB, path string) (r launch.Report) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}
