package deploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/loadtest/launch"
)

const (
	signingKey = "k1:YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMDE="
	adminToken = "0123456789abcdef0123456789abcdef"
)

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

// deployment is everything that runs.
type deployment struct {
	t        *testing.T
	dir      string
	program  string // flashgate
	loadtest string // flashgate-loadtest
	public   string // HAProxy's URL
	stats    string // where it tells its metrics
	redis    string // the Sentinels' address for gates and commands
	ca       string
	primary  *redistest.Program
	gates    []*gateProcess
	admin    *launch.Admin // of the first gate
}

// gateProcess is a gate that may be started again in its place.
type gateProcess struct {
	d             *deployment
	listen, admin string
	args          []string
	environ       []string
	process       *redistest.Program
}

// secrets returns what every gate has in its environment, and of commands those that
// sign links or call the admin API.
func (d *deployment) secrets() []string {
	return []string{
		"FLASHGATE_REDIS=" + d.redis, "FLASHGATE_SIGNING_KEY=" + signingKey,
		"FLASHGATE_ADMIN_TOKEN=ops:" + adminToken,
	}
}

// deploy starts it. The settings, flags and variables, are for every gate.
func deploy(t *testing.T, settings ...string) *deployment {
	t.Helper()
	d := &deployment{t: t, dir: t.TempDir()}
	d.build()
	d.startRedis()
	ports := []string{}
	for number := range 3 {
		g := &gateProcess{d: d, listen: address(t), admin: address(t)}
		g.args = []string{
			"serve", "--listen", g.listen, "--admin-listen", g.admin, "--wait-replicas", "1", "--trusted-proxies",
			"127.0.0.1/32", "--name", fmt.Sprint("gate-", number+1), "--drain-wait", "2s",
		}
		g.environ = d.secrets()
		for _, setting := range settings {
			if strings.HasPrefix(setting, "FLASHGATE_") {
				g.environ = append(g.environ, setting)
			} else {
				g.args = append(g.args, setting)
			}
		}
		g.start()
		d.gates = append(d.gates, g)
		ports = append(ports, fmt.Sprintf("GATE%d=%s", number+1, g.listen))
	}
	d.startHAProxy(ports)
	d.admin = &launch.Admin{URL: "http://" + d.gates[0].admin, Token: adminToken, Client: http.DefaultClient}
	return d
}

// build names the programs, which are built by then.
func (d *deployment) build() {
	d.t.Helper()
	dir := programs.in(d.t)
	d.program, d.loadtest = filepath.Join(dir, "flashgate"), filepath.Join(dir, "flashgate-loadtest")
}

// startRedis starts Redis and its Sentinels, three of each, on this machine.
func (d *deployment) startRedis() {
	d.t.Helper()
	here := slices.Repeat([]machine{{addr: "127.0.0.1", command: exec.Command}}, 3)
	r := startRedis(d.t, here, here)
	d.primary, d.redis = r.servers[0].Program, r.url
}

// startHAProxy starts it with haproxy.cfg.
func (d *deployment) startHAProxy(gates []string) {
	d.t.Helper()
	authority := redistest.NewAuthority(d.t)
	cert := filepath.Join(d.dir, "haproxy.pem")
	write(d.t, cert, readFile(d.t, authority.ServerCert)+readFile(d.t, authority.ServerKey))
	d.ca, d.stats = authority.CA, address(d.t)
	d.public = "https://" + redistest.StartHAProxy(d.t, readFile(d.t, "haproxy/haproxy.cfg"),
		append(gates, "LISTEN=fd@3", "CERT="+cert, "STATS="+d.stats)...)
}

func (g *gateProcess) start() {
	g.d.t.Helper()
	cmd := exec.Command(g.d.program, g.args...)
	cmd.Env = append(os.Environ(), g.environ...)
	g.process = redistest.StartProgram(g.d.t, cmd)
	awaitUp(g.d.t, g.process, "the gate to be ready", func() error { return ready(http.DefaultClient, g.listen) })
}

// restart ends the gate as an operator does, and starts it anew where it was.
func (g *gateProcess) restart() {
	g.d.t.Helper()
	g.process.Terminate()
	g.start()
}

func ready(client *http.Client, addr string) error {
	answer, err := client.Get("http://" + addr + "/readyz")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %d", answer.StatusCode)
	}
	return nil
}

// command runs flashgate, which must succeed, and returns what it printed.
func (d *deployment) command(args ...string) string {
	d.t.Helper()
	return d.commandIn(d.secrets(), args...)
}

func (d *deployment) commandIn(environ []string, args ...string) string {
	d.t.Helper()
	cmd := exec.Command(d.program, args...)
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("flashgate %q: %v", args, err)
	}
	return string(out)
}

func (d *deployment) apply(sale string) {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "sales.yaml")
	write(d.t, path, "sales: ["+sale+"]")
	d.command("apply", "--open-now", "-f", path)
}

// rehearse starts the load test through HAProxy. What it returns waits for its end.
func (d *deployment) rehearse(sale string, args ...string) func() launch.Report {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "report.json")
	cmd := exec.CommandContext(d.t.Context(), d.loadtest, append([]string{
		"launch", "--target", d.public, "--ca", d.ca, "--sale", sale, "--admin", "http://" + d.gates[0].admin, "--json",
		path, "--timeout", "30s", "--within", "10s",
	}, args...)...)
	cmd.Env = append(os.Environ(), d.secrets()...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	return func() (r launch.Report) {
		d.t.Helper()
		ended := cmd.Wait() // its report says more
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil {
			d.t.Fatalf("%v, %v\n%s", ended, err, &said)
		}
		d.t.Logf("%s", said.String())
		return r
	}
}

// sold returns an error unless so many of a sale's units are held.
func (d *deployment) sold(sale string, most int64) error {
	ctx, cancel := context.WithTimeout(d.t.Context(), 5*time.Second)
	defer cancel()
	view, err := d.admin.Sale(ctx, sale)
	if err == nil && view.SKUs[0].Held < most {
		err = fmt.Errorf("%d are held", view.SKUs[0].Held)
	}
	return err
}

func address(t *testing.T) string { return fmt.Sprint("127.0.0.1:", redistest.FreePort(t)) }

// awaitUp is await for a program that must not end meanwhile.
func awaitUp(t *testing.T, p *redistest.Program, what string, check func() error) {
	t.Helper()
	await(t, what, func() error {
		if !p.Running() {
			t.Fatalf("it ended: %s", p.Log())
		}
		return check()
	})
}

// await polls until check returns nil, and fails the test if it never does.
func await(t *testing.T, what string, check func() error) {
	t.Helper()
	redistest.Await(t, patience, what, check)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
