package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// simulation is a simulated PortOne that runs as a program of its own.
type simulation struct {
	*redistest.Program
	cmd *exec.Cmd
}

// stop asks it to end (SIGTERM) and wants it to end well.
func (s *simulation) stop(t *testing.T) {
	t.Helper()
	s.Terminate()
	if status := s.cmd.ProcessState.ExitCode(); status != 0 {
		t.Errorf("the simulator ended with status %d", status)
	}
}

// startPortone simulates PortOne on a free port, and returns its URL.
func startPortone(t testing.TB, args ...string) (p *simulation, url string) {
	t.Helper()
	cmd := exec.Command("flashgate-loadtest", append([]string{"portone-sim", "--listen", "127.0.0.1:0"}, args...)...)
	p = &simulation{redistest.StartProgram(t, cmd), cmd}
	hint := regexp.MustCompile(`simulated at (http://127\.0\.0\.1:\d+)\.(?s:.*)/sim/payments\n`)
	await(t, "the simulator to listen", func() error {
		if !p.Running() {
			t.Fatalf("the simulator ended: %s", p.Log())
		}
		found := hint.FindStringSubmatch(p.Log())
		if found == nil {
			return errors.New("it has not said where it is")
		}
		url = found[1]
		return nil
	})
	return p, url
}

// What cannot be simulated is refused before it listens.
func TestWhatCannotBeSimulatedIsRefused(t *testing.T) {
	t.Parallel()
	f := func(line string, status int, want string) {
		t.Helper()
		var out, errOut bytes.Buffer
		if got := run(strings.Fields("portone-sim "+line), nil, &out, &errOut); got != status ||
			!strings.Contains(errOut.String(), want) || strings.Contains(errOut.String(), "topsecret") {
			t.Errorf("portone-sim %s: %d %s, want %d, %s", line, got, errOut.String(), status, want)
		}
	}
	f("--declines 1.5", 2, "--declines 1.5: must be a share from 0 to 1")
	f("--declines 0.6 --lost 0.6", 2, "must be at most 1")
	f("--v2-webhook-secret topsecret", 2, "must be whsec_ and base64")
	f("--listen 127.0.0.1:none", 1, "--listen")
}

// A gate with the settings that it prints sells to its buyers, of V1 and of V2, and learns
// what they have paid.
func TestAGateSellsToTheBuyersOfTheSimulator(t *testing.T) {
	t.Parallel()
	p, url := startPortone(t, "--seed", "3")
	for _, want := range []string{
		`export FLASHGATE_REDIS=embedded`,
		`FLASHGATE_PORTONE_V1_URL=http://127.0.0.1:[0-9]+ FLASHGATE_PORTONE_V1_KEY=sim-key FLASHGATE_PORTONE_V1_SECRET=sim-secret-for-tests-only`,
		`FLASHGATE_PORTONE_V2_SECRET=sim-v2-secret-for-tests-only FLASHGATE_PORTONE_V2_STORE=store-0`,
		`FLASHGATE_WEBHOOK_SECRET=whsec_`,
		`curl -s http://127.0.0.1:[0-9]+/sim/pay -d `,
	} {
		if !regexp.MustCompile(want).MatchString(p.Log()) {
			t.Errorf("it does not print %s:\n%s", want, p.Log())
		}
	}
	const sale = "sales: [{name: race, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, hold: 1h, " +
		"skus: [{name: seat, stock: 2}]}]"
	g := startGate(t, "--redis", "embedded", "--sales", testkit.SaleFile(t, sale), "--portone-v1-url", url,
		"--portone-v1-key", "sim-key",
		"--portone-v1-secret", "sim-secret-for-tests-only", "--portone-v2-url", url, "--portone-v2-secret",
		"sim-v2-secret-for-tests-only")
	pay := func(body, order, buyer string) (r portonesim.Result) {
		t.Helper()
		address := "http://" + g.listen
		text, err := json.Marshal(portonesim.Order{
			Body: body, ID: order, Amount: 1000, ConfirmURL: address + "/confirm/race?items=seat&buyer=" + buyer,
			NoticeURL: address + "/webhook",
		})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.Post(url+"/sim/pay", "application/json", bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if err := json.NewDecoder(answer.Body).Decode(&r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for order, body := range map[string]string{"order-1": "v1", "order-2": "v2-2024-04-25"} {
		if r := pay(body, order, "of-"+order); r.Status != "paid" || r.ConfirmStatus != http.StatusOK {
			t.Errorf("%s: %+v", body, r)
		}
	}
	if r := pay("v1", "order-3", "carol"); r.Status != "failed" || r.ConfirmStatus != http.StatusConflict ||
		!strings.Contains(r.FailReason, "수량이 부족") {
		t.Errorf("one too many: %+v", r)
	}
	await(t, "the gate to know that two orders are paid", func() error {
		text, err := get("http://" + g.admin + "/v1/sales/race")
		if err != nil {
			return err
		}
		var view gate.SaleView
		if err := json.Unmarshal([]byte(text), &view); err != nil || view.Orders.Paid != 2 {
			return fmt.Errorf("%+v, %w", view.Orders, err)
		}
		return nil
	})
	p.stop(t)
}

// Whoever pastes what the simulator prints has a payment go through.
func TestTheSimulatorsInstructionsLeadToAPayment(t *testing.T) {
	t.Parallel()
	sim, url := startPortone(t)
	hint := sim.Log()
	var args []string
	for _, setting := range regexp.MustCompile(`FLASHGATE_([A-Z0-9_]+)=(\S+)`).FindAllStringSubmatch(hint, -1) {
		args = append(args, "--"+strings.ReplaceAll(strings.ToLower(setting[1]), "_", "-"), setting[2])
	}
	g := startGate(t, args...)
	payment := regexp.MustCompile(`curl -s \S+/sim/pay -d '(.*)'`).FindStringSubmatch(hint)
	if payment == nil {
		t.Fatalf("the simulator printed\n%s", hint)
	}
	body := strings.ReplaceAll(payment[1], "127.0.0.1:8080", g.listen)
	for _, version := range []string{"", `"version":2,`} {
		id := "order_" + strings.Trim(version, `"version:,`)
		text := strings.NewReplacer(`{"id"`, "{"+version+`"id"`, "order_1", id).Replace(body)
		response, err := http.Post(url+"/sim/pay", "application/json", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if said, err := io.ReadAll(response.Body); err != nil ||
			!strings.Contains(string(said), `"confirmStatus":200`) {
			t.Errorf("%s: %s %v", text, said, err)
		}
	}
}

func TestWhateverMayGoWrongHasAFlag(t *testing.T) {
	t.Parallel()
	for _, field := range reflect.VisibleFields(reflect.TypeFor[portonesim.Plan]()) {
		name := field.Tag.Get("name")
		if field.Type.Kind() != reflect.Float64 {
			continue
		}
		c, err := parse(t, "portone-sim --"+name+" 0.25")
		if err != nil {
			t.Errorf("%s: %v", field.Name, err)
			continue
		}
		if got := reflect.ValueOf(c.PortoneSim.options().Plan).FieldByName(field.Name).Float(); got != 0.25 {
			t.Errorf("%s is %v in the plan, want 0.25", field.Name, got)
		}
	}
	if _, err := parse(t, "portone-sim --slow-cancels 0.6 --pg-errors 0.6"); err == nil {
		t.Error("cancellations come to more than everything, and that is taken")
	}
}

// Who sends the simulator a body that it cannot read is told so in words of JSON, as
// by the gate's own API.
func TestTheSimulatorNamesWhatIsWrongWithABody(t *testing.T) {
	t.Parallel()
	c := portoneSimCommand{V1Key: "key", V1Secret: "secret", V2Secret: "secret"}
	sim := portonesim.New(portonesim.Deps{Explain: gate.BodyError}, c.options())
	defer sim.Close()
	server := httptest.NewServer(sim.Handler())
	defer server.Close()
	f := func(path, body, want string) {
		t.Helper()
		response, err := http.Post(server.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		said, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusBadRequest || !strings.Contains(string(said), want) ||
			strings.Contains(string(said), "Go ") {
			t.Errorf("%s %s: status %d, %s, %v; want %q", path, body, response.StatusCode, said, err, want)
		}
	}
	f("/sim/pay", `{"id":"o1","amount":80000.0}`, "amount must be a whole number in plain digits, not 80000.0")
	f("/sim/pay", `{"id":1}`, "id must be a text in quotes, not a number")
	f("/sim/pay", `[]`, "it must be an object, not a list")
	f("/sim/pay", ``, "it is empty")
	f("/sim/pay", `{"id":"o1"`, "it ends too early")
	f("/sim/pay", `{"order":"o1"}`, `unknown field \"order\"`)
	f("/sim/confirmed", `[{"id":"o1","amount":"80000"}]`, "amount must be a whole number in plain digits, not a text")
	f("/sim/confirmed", `{"id":"o1"}`, "it must be a list, not an object")
	f("/sim/cancel", `{"amount":true}`, "amount must be a whole number in plain digits, not true or false")
	f("/sim/deposit", `{"order":[]}`, "order must be a text in quotes, not a list")
}
