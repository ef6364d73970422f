package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

// checked returns what a gate shows of its surroundings.
func checked(p *process) (gate.Status, error) {
	var s gate.Status
	status, body := p.get(p.admin, "/v1/status")
	if status != 200 {
		return s, fmt.Errorf("/v1/status answers %d %s", status, body)
	}
	return s, json.Unmarshal([]byte(body), &s)
}

// showsChecks waits until a gate shows these checks: for each name what is wrong, or
// nothing. The status, the log and the metric must agree.
func (p *process) showsChecks(t *testing.T, want map[string]string) gate.Status {
	t.Helper()
	var s gate.Status
	await(t, "the checks", func() (err error) {
		if s, err = checked(p); err != nil {
			return err
		}
		if len(s.Checks) != len(want) {
			return fmt.Errorf("they are %+v", s.Checks)
		}
		for _, c := range s.Checks {
			problem, known := want[c.Name]
			value := metric(t, p, fmt.Sprintf("flashgate_check_ok{check=%q}", c.Name))
			switch {
			case !known || c.Unknown || c.OK != (problem == "") || !strings.Contains(c.Problem, problem) ||
				c.Since.IsZero() || c.TriedAt.IsZero():
				return fmt.Errorf("%+v", c)
			case value != map[bool]string{true: "1", false: "0"}[c.OK]:
				return fmt.Errorf("the metric of %s is %s", c.Name, value)
			case !c.OK && !strings.Contains(p.stderr.String(),
				fmt.Sprintf(`"check":%q,"subject":%q,"problem":`, c.Name, c.Subject)):
				return fmt.Errorf("the log does not tell of %+v", c)
			}
		}
		return nil
	})
	return s
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// All that is set wrong is said at the start, with what to do and without a secret,
// while the gate sells. What was mended is noticed.
func TestAGateSaysWhatIsWrongWithItsSurroundings(t *testing.T) {
	t.Parallel()
	redis, shop := redistest.Start(t), closedPort(t)
	redistest.StartReplica(t, redis)
	portone := simtest.Start(t, portonesim.Plan{}).URL
	sale := notifyingSale("race", "http://"+shop+"/changes?token=hush-notify")
	applySale(t, redis.URL(), strings.Replace(askingSale(1, `ask: "http://`+shop+`/ask?token=hush-ask"`), "name: race",
		"name: asks", 1))
	p := serveSale(t, redis.URL(), sale, "--wait-replicas", "1", "--notify-secret", notifySecret,
		"--forward-webhooks", "https://"+shop+"/hooks?token=hush-forward",
		"--portone-v1-url", portone, "--portone-v1-key", "hush-key", "--portone-v1-secret", "hush-v1",
		"--portone-v2-url", portone, "--portone-v2-secret", "hush-v2")
	s := p.showsChecks(t, map[string]string{
		gate.CheckPortOneV1:   "copy FLASHGATE_PORTONE_V1_KEY and FLASHGATE_PORTONE_V1_SECRET from its console",
		gate.CheckPortOneV2:   "copy FLASHGATE_PORTONE_V2_SECRET",
		gate.CheckClock:       "",
		gate.CheckPersistence: "Set appendonly yes",
		gate.CheckMinReplicas: "set min-replicas-to-write 1",
		gate.CheckNotify:      "connection refused): start the shop's server",
		gate.CheckAsk:         "connection refused): start the shop's server",
		gate.CheckForward:     "connection refused): start the shop's server",
	})
	if s.Gate == "" || !s.Ready || s.Replicas == nil || *s.Replicas.Have != 1 || s.Replicas.Needed != 1 ||
		s.Replicas.Problem != "" {
		t.Errorf("the status is %+v, replicas %+v", s, s.Replicas)
	}
	a := newCaller(t).post(p.listen, "/confirm/race?items=unit", "application/json", v1("o", "i"))
	if a.code != "held" {
		t.Errorf("%+v", a)
	}
	if _, body := p.get(p.admin, "/v1/status"); strings.Contains(body+p.stderr.String(), "hush") ||
		strings.Contains(body, redistest.Password) {
		t.Error("a secret is shown")
	}
	p.stop(t)
}

// A gate whose surroundings are as they should be says nothing of them.
func TestAGateThatHasWhatItNeedsSaysNothing(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	redistest.StartReplica(t, redis)
	redis.Do(t, "CONFIG", "SET", "appendonly", "yes")
	redis.Do(t, "CONFIG", "SET", "min-replicas-to-write", 1)
	shop := httptest.NewServer(nil)
	t.Cleanup(shop.Close)
	p := serveSale(t, redis.URL(), notifyingSale("race", shop.URL),
		append(simtest.Start(t, portonesim.Plan{}).Credentials(),
			"--wait-replicas", "1", "--notify-secret", notifySecret, "--forward-webhooks", shop.URL)...)
	p.showsChecks(t, map[string]string{
		gate.CheckPortOneV1: "", gate.CheckPortOneV2: "", gate.CheckClock: "", gate.CheckPersistence: "",
		gate.CheckMinReplicas: "", gate.CheckNotify: "", gate.CheckForward: "",
	})
	if strings.Contains(p.stderr.String(), "what this gate depends on") {
		t.Error("it is in the log all the same")
	}
}

// Soon after a change of a sale, and after SIGHUP, what was changed is tried.
func TestChangesAreTriedSoon(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	redis.Do(t, "CONFIG", "SET", "appendonly", "yes")
	secrets := filepath.Join(t.TempDir(), "notify")
	if err := os.WriteFile(secrets, []byte(notifySecret), 0o600); err != nil {
		t.Fatal(err)
	}
	shop := httptest.NewServer(nil)
	t.Cleanup(shop.Close)
	p := serveSale(t, redis.URL(), notifyingSale("race", "http://"+closedPort(t)), "--notify-secret-file", secrets)
	p.showsChecks(t, map[string]string{
		gate.CheckClock: "", gate.CheckPersistence: "",
		gate.CheckNotify: "start the shop's server",
	})
	applySale(t, redis.URL(), notifyingSale("race", shop.URL))
	first := p.showsChecks(t, map[string]string{gate.CheckClock: "", gate.CheckPersistence: "", gate.CheckNotify: ""})
	p.hangup(t, 1)
	await(t, "everything to be tried again", func() error {
		s, err := checked(p)
		for i := range first.Checks {
			if err == nil && !s.Checks[i].TriedAt.After(first.Checks[i].TriedAt) {
				err = fmt.Errorf("%+v", s.Checks)
			}
		}
		return err
	})
}

// The embedded store is for a look: it has nothing to be checked.
func TestADemoDependsOnNothing(t *testing.T) {
	t.Parallel()
	p := startGate(t)
	s, err := checked(p)
	if err != nil || len(s.Checks) != 0 || s.Replicas != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// A shop that takes connections and says nothing keeps no gate from ending.
func TestAShopThatIsSilentHoldsUpNoDrain(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := make(chan net.Conn, 16)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			taken <- conn
		}
	}()
	redis := redistest.Start(t)
	p := serveSale(t, redis.URL(), openSale("race", 1), "--forward-webhooks", "https://"+ln.Addr().String())
	conn := <-taken // the check is under way
	defer conn.Close()
	began := time.Now()
	p.stop(t)
	if took := time.Since(began); took > checkTimeout/2 {
		t.Errorf("it took %v to end", took)
	}
}
