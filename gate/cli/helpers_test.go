package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

// patience is how long something may take to come about. It is generous: a busy
// machine is slow, and a test that passes does not wait for it.
const patience = 30 * time.Second

// await polls until check returns nil, and fails the test if it never does.
func await(t testing.TB, what string, check func() error) {
	t.Helper()
	redistest.Await(t, patience, what, check)
}

// journal keeps what a process writes.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// process is a gate that runs as a program of its own.
type process struct {
	*redistest.Program
	cmd            *exec.Cmd
	stdout, stderr journal
	listen, admin  string // its addresses, host:port
}

// spawn starts `flashgate serve` on free ports and without a wait before it
// ends; args come after that.
func spawn(t testing.TB, args ...string) *process {
	t.Helper()
	return startProcess(t, "flashgate", serveArgs(args)...)
}

func serveArgs(args []string) []string {
	return append([]string{
		"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--drain-wait", "0s",
		"--log-format", "json",
	}, args...)
}

// startProcess starts a program as a process. It is killed when the test ends, and its
// log is shown if the test failed. "flashgate" is this one.
func startProcess(t testing.TB, program string, args ...string) *process {
	t.Helper()
	p := &process{cmd: programCommand(t, program, args...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.Program = redistest.StartProgram(t, p.cmd)
	t.Cleanup(func() {
		p.Kill()
		for _, secret := range []string{redistest.Password, url.QueryEscape(redistest.Password)} {
			if strings.Contains(p.stdout.String()+p.stderr.String(), secret) {
				t.Errorf("the gate shows its password for Redis")
			}
		}
		if t.Failed() {
			t.Logf("flashgate %q said:\n%s", args, lastLines(p.stderr.String(), 40))
		}
	})
	return p
}

// startGate spawns a gate and returns when it is ready.
func startGate(t testing.TB, args ...string) *process {
	t.Helper()
	return awaitReady(t, spawn(t, args...))
}

// programCommand is exec.Command, with the secrets of the command line in the environment.
func programCommand(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	environ, rest := hidden(t, args)
	cmd := exec.Command(program, rest...)
	cmd.Env = append(os.Environ(), environ...)
	return cmd
}

// hidden moves the secrets of a command line into an environment, where programs take
// them from: tests write them as flags, beside those that they go with.
func hidden(t testing.TB, args []string) (environ, rest []string) {
	t.Helper()
	hide, err := secretHider()
	if err != nil {
		t.Fatal(err)
	}
	return hide(args)
}

// secretHider makes what hides secrets once: to build the parser takes far longer than to use it.
var secretHider = sync.OnceValues(func() (func(args []string) (environ, rest []string), error) {
	parser, err := newProgram(nil, io.Discard, io.Discard).Parser(&commands{}, func(int) {})
	if err != nil {
		return nil, err
	}
	return testkit.SecretHider(parser), nil
})

// awaitReady returns a gate when it is ready.
func awaitReady(t testing.TB, p *process) *process {
	t.Helper()
	await(t, "the gate to be ready", func() error {
		if !p.Running() {
			t.Fatalf("the gate ended: %v\n%s", p.cmd.ProcessState, p.stderr.String())
		}
		serving, ok := p.logged("serving")
		if !ok {
			return errors.New("it is not serving")
		}
		p.listen, p.admin = fmt.Sprint(serving["listen"]), fmt.Sprint(serving["admin"])
		if status, _ := p.get(p.listen, "/readyz"); status != http.StatusOK {
			return fmt.Errorf("/readyz answers %d", status)
		}
		return nil
	})
	return p
}

// serveSale creates a sale in a Redis and starts a gate for it.
func serveSale(t testing.TB, redis, sale string, args ...string) *process {
	t.Helper()
	applySale(t, redis, sale)
	return startGate(t, append([]string{"--redis", redis, "--allow-unsigned"}, args...)...)
}

// applySale applies a sale file, given as its text.
func applySale(t testing.TB, redis, sale string) {
	t.Helper()
	command(t, "apply", "--open-now", "--redis", redis, "-f", testkit.SaleFile(t, sale))
}

// command runs a command of the program in this process, and returns what it
// printed. It must succeed.
func command(t testing.TB, args ...string) string {
	t.Helper()
	return commandIn(t, nil, args...)
}

// commandIn is command in an environment.
func commandIn(t testing.TB, environ []string, args ...string) string {
	t.Helper()
	status, out, errOut := try(t, environ, args...)
	if status != 0 {
		t.Fatalf("flashgate %s: status %d: %s", strings.Join(args, " "), status, errOut)
	}
	return out
}

// try runs a command of the program in this process and in an environment. It may fail.
func try(t testing.TB, environ []string, args ...string) (status int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	secrets, rest := hidden(t, args)
	status = Main(rest, append(secrets, environ...), &stdout, &stderr, "v0.0.0-test")
	return status, stdout.String(), stderr.String()
}

// openSale is a sale file with one sale of one SKU, "unit", that is open.
func openSale(name string, stock int) string {
	return fmt.Sprintf("sales: [{name: %s, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, "+
		"hold: 1h, skus: [{name: unit, stock: %d}]}]", name, stock)
}

// readStatus returns what `flashgate status --json` says of a sale. Tests poll it, so the
// command line is left out: to parse one takes longer than to read the sale.
func readStatus(t testing.TB, redis, sale string) (report gate.SaleView) {
	t.Helper()
	c := statusCommand{Sale: sale, JSON: true}
	c.Redis, c.By = redis, "test"
	var out, errOut bytes.Buffer
	err := c.Run(context.Background(), &environment{out: &out, err: &errOut})
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &report)
	}
	if err != nil {
		t.Fatalf("reading the sale %s: %v: %s", sale, err, errOut.String())
	}
	return report
}

// logged returns the first record of the process's log with the given message.
func (p *process) logged(message string) (map[string]any, bool) {
	return logged(p.stderr.String(), message)
}

func logged(log, message string) (map[string]any, bool) {
	for line := range strings.Lines(log) {
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == message {
			return record, true
		}
	}
	return nil, false
}

// stop asks the process to end (SIGTERM) and wants it to end well.
func (p *process) stop(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if status := p.wait(t); status != 0 {
		t.Errorf("the gate ended with status %d", status)
	}
}

func (p *process) signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// wait returns the exit status of the process once it has ended, -1 if by a signal.
func (p *process) wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.Exited():
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("the gate did not end within %v", patience)
		return 0
	}
}

// get reads a path of one of the process's listeners; status 0 is no answer.
func (p *process) get(addr, path string) (status int, body string) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + addr + path)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(text)
}

// answer is what a confirm call came to.
type answer struct {
	order  string
	status int    // 0 where there was no complete answer
	code   string // of the body
	sent   time.Time
	took   time.Duration // from before its first byte until its answer was read
	err    error         // why there was no complete answer
}

// caller posts confirms on connections that it keeps, like PortOne.
type caller struct{ http.Client }

func newCaller(t testing.TB) *caller {
	transport := &http.Transport{MaxIdleConnsPerHost: 1000, MaxIdleConns: 10_000}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{http.Client{Timeout: 20 * time.Second, Transport: transport}}
}

// v1 is a confirm call's body as PortOne V1 sends it.
func v1(order, attempt string) string {
	return fmt.Sprintf(`{"imp_uid":%q,"merchant_uid":%q,"amount":1000}`, attempt, order)
}

// confirm posts an order's confirm call for one "unit" of a sale.
func (c *caller) confirm(addr, sale, order string) answer {
	a := c.post(addr, "/confirm/"+sale+"?items=unit", "application/json", v1(order, "imp_"+order))
	a.order = order
	return a
}

func (c *caller) post(addr, path, contentType, body string) answer {
	a := answer{sent: time.Now()}
	response, err := c.Post("http://"+addr+path, contentType, strings.NewReader(body))
	if err == nil {
		var text []byte
		text, err = io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil {
			a.status = response.StatusCode
			a.code, err = bodyCode(text)
		}
	}
	a.took, a.err = time.Since(a.sent), err
	return a
}

func bodyCode(body []byte) (string, error) {
	var said struct{ Code string }
	if err := json.Unmarshal(body, &said); err != nil || said.Code == "" {
		return "", fmt.Errorf("the answer %q has no code: %w", body, err)
	}
	return said.Code, nil
}

// refusesConnections returns nil when nothing listens at addr.
func refusesConnections(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil
	}
	conn.Close()
	return errors.New("it takes connections")
}

func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

func order(i int) string { return fmt.Sprintf("order-%d", i) }

// sells returns nil when a gate holds a unit for an order.
func sells(c *caller, gate *process, sale, order string) error {
	if a := c.confirm(gate.listen, sale, order); a.code != "held" {
		return fmt.Errorf("the answer is %+v", a)
	}
	return nil
}
