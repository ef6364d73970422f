package cli

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// startPortone simulates PortOne on a free port, and returns its URL.
func startPortone(t testing.TB, args ...string) (p *process, url string) {
	t.Helper()
	p = startProcess(t, "flashgate", append([]string{"portone-sim", "--listen", "127.0.0.1:0"}, args...)...)
	hint := regexp.MustCompile(`simulated at (http://127\.0\.0\.1:\d+)\.(?s:.*)/sim/payments\n`)
	await(t, "the simulator to listen", func() error {
		if p.ended() {
			t.Fatalf("the simulator ended: %v\n%s", p.cmd.ProcessState, p.stderr.String())
		}
		found := hint.FindStringSubmatch(p.stdout.String())
		if found == nil {
			return errors.New("it has not said where it is")
		}
		url = found[1]
		return nil
	})
	return p, url
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
	sim := portonesim.New(c.options())
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
		if err != nil || response.StatusCode != http.StatusBadRequest || !strings.Contains(string(said), want) || strings.Contains(string(said), "Go ") {
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
