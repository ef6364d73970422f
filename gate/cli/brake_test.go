package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

// All buyers pay twice. Two gates together give back no more than may be, PortOne's own
// count of cancellations says so, and everybody who asks is told why; a person lets the rest
// go, one gate having died meanwhile.
func TestTheBrakeIsToldOfAndReleased(t *testing.T) {
	t.Parallel()
	const buyers = 23
	sim, redis := simtest.Start(t, portonesim.Plan{Twice: 1}), redistest.Start(t)
	applySale(t, redis.URL(), testkit.PricedSale(100, "hold: 10m, auto_refund: true"))
	flags := append([]string{"--redis", redis.URL(), "--allow-unsigned"}, sim.Settling()...)
	steady, mortal := startGate(t, flags...), startGate(t, flags...)
	var shopping sync.WaitGroup
	for i := range buyers {
		shopping.Go(func() {
			sim.Pay(t.Context(), portonesim.Order{
				Body: "v1", ID: fmt.Sprintf("ORD%06d",
					i), Amount: 1000, ConfirmURL: "http://" + steady.listen + "/confirm/race?items=unit",
			})
		})
	}
	shopping.Wait()
	cancelled := func() (n int) {
		for _, p := range sim.Payments() {
			n += p.Cancellations
		}
		return n
	}
	redistest.Await(t, 4*patience, "the brake to hold, with all that was sent done", func() error {
		if r := readStatus(t, redis.URL(), "race"); r.RefundBrake == nil || r.Orders.Refunds != 3 ||
			r.RefundBrake.Waiting.Payments != 3 {
			return fmt.Errorf("%+v, %+v, %d cancelled", r.Orders, r.RefundBrake, cancelled())
		}
		return nil
	})
	mortal.Kill()
	if n := cancelled(); n != 20 {
		t.Errorf("%d were cancelled, want 20", n)
	}
	if n := strings.Count(steady.stderr.String()+mortal.stderr.String(), "the brake on refunds holds"); n != 1 {
		t.Errorf("it is in the gates' logs %d times", n)
	}
	if n := metric(t, steady, `flashgate_refund_brake{sale="race"}`); n != "1" {
		t.Errorf("the metric is %s", n)
	}
	told := "holds since 20"
	why := ": 21 refunds within ten minutes, where 20 may be; the last for paid_twice. Nothing is cancelled; 3 " +
		"payments of 3 orders, 3000 in all, wait. flashgate refunds race lists them, and with --go-on gives them back"
	for _, line := range []string{"status", "refunds"} {
		if said := command(t, line, "--redis", redis.URL(), "race"); !strings.Contains(said, told) ||
			!strings.Contains(said, why) {
			t.Errorf("flashgate %s says %s", line, said)
		}
	}
	if said := command(t, "refunds", "--redis", redis.URL(), "race"); strings.Count(said, "  brake  ") != 3 {
		t.Errorf("flashgate refunds lists %s", said)
	}
	if said := command(t, "status", "--redis", redis.URL()); !strings.Contains(said,
		"race: the brake on refunds holds") {
		t.Errorf("the list of sales says %s", said)
	}
	before := command(t, "refunds", "--redis", redis.URL(), "race", "--go-on", "--wait-replicas", "0", "--by", "kim")
	if before != "race: the brake is released; the gates try the refunds of 3 orders now, and flashgate refunds race "+
		"shows what comes of it\n" {
		t.Errorf("--go-on says %s", before)
	}
	redistest.Await(t, 2*patience, "the rest to be given back", func() error {
		if r := readStatus(t, redis.URL(), "race"); r.Orders.Refunds > 0 || r.RefundBrake != nil {
			return fmt.Errorf("%+v, %+v", r.Orders, r.RefundBrake)
		}
		return nil
	})
	if n := cancelled(); n != buyers {
		t.Errorf("%d were cancelled, want %d", n, buyers)
	}
	again := command(t, "refunds", "--redis", redis.URL(), "race", "--go-on", "--json")
	if again != "{\n  \"released\": false,\n  \"orders\": 0\n}\n" {
		t.Errorf("said again: %s", again)
	}
	said := command(t, append([]string{"audit", "--redis", redis.URL(), "race"}, sim.Credentials()...)...)
	if !strings.HasPrefix(said, "nothing differs\n") {
		t.Errorf("the audit says: %s", said)
	}
}

// Whoever sits at the terminal is asked, and what is not agreed to is not done.
func TestGoOnAsksWhoSitsAtATerminal(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), testkit.PricedSale(100, "auto_refund: true"))
	for answer, agrees := range map[string]bool{
		"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false,
		"yet\n": false,
	} {
		redis.Do(t, "HSET", "fg:{race}", "brake", "1000\x1frow\x1famount\x1f10\x1f10")
		var out, asked bytes.Buffer
		env := &environment{out: &out, err: &asked, person: strings.NewReader(answer)}
		c := refundsCommand{Sale: "race", GoOn: true}
		c.Redis, c.By = redis.URL(), "kim"
		err := c.Run(t.Context(), env)
		if agrees != (err == nil) || agrees != strings.Contains(out.String(), "the brake is released") {
			t.Errorf("%q: %v, %s", answer, err, out.String())
		}
		want := "10 refunds in a row for amount, which a wrong setting may cause. To be given back now: 0 " +
			"payments of 0 orders, 0 in all\nGive them back? [y/N] "
		if !strings.HasSuffix(asked.String(), want) {
			t.Errorf("asked: %s", asked.String())
		}
		if held := redis.Do(t, "HEXISTS", "fg:{race}", "brake"); (held == int64(1)) == agrees {
			t.Errorf("%q: holds %v", answer, held)
		}
	}
	c := refundsCommand{Sale: "race", GoOn: true, Yes: true}
	c.Redis, c.By = redis.URL(), "kim"
	if err := c.Run(t.Context(), &environment{out: io.Discard, err: io.Discard, person: nobody{}}); err != nil {
		t.Errorf("--yes: %v", err)
	}
}

// nobody is a person who must not be asked.
type nobody struct{}

func (nobody) Read([]byte) (int, error) { return 0, errors.New("asked") }
