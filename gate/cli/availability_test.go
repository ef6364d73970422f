package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// A page shows "sold out" within a second of the last hold, from whichever gate it asks, and a unit
// that comes back as soon. Machines are busy at times, so the middle one of several rounds counts.
func TestPagesKnowWithinASecondWhatIsLeft(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"mirror": nil, "no mirror": {"--no-mirror"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			g := serveSale(t, redis.URL(), askingSale(1, "show_stock: true"), args...)
			other := startGate(t, append([]string{"--redis", redis.URL(), "--allow-unsigned"}, args...)...)
			c := newCaller(t)
			left := func(want int64) time.Duration {
				t.Helper()
				began := time.Now()
				await(t, fmt.Sprintf("%d to be shown", want), func() error { return shows(other, want) })
				return time.Since(began)
			}
			left(1)
			var gone, back []time.Duration
			for i := range 7 {
				if a := c.confirm(g.listen, "race", order(i)); a.code != "held" {
					t.Fatalf("%+v", a)
				}
				gone = append(gone, left(0))
				if status, text := g.ask(t, "", "POST", "/v1/sales/race/orders/"+order(i)+"/report",
					`{"state":"released"}`); status != http.StatusOK {
					t.Fatal(status, text)
				}
				back = append(back, left(1))
			}
			slices.Sort(gone)
			slices.Sort(back)
			t.Logf("sold out after %v, on sale again after %v", gone, back)
			if gone[3] > time.Second || back[3] > time.Second {
				t.Errorf("sold out is shown after %v, a unit that came back after %v", gone[3], back[3])
			}
		})
	}
}

// shows returns nil if a gate shows so many units of the sale as left, and as available if there are any.
func shows(p *process, left int64) error {
	var a gate.Availability
	status, body := p.get(p.listen, "/sales/race")
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK || len(a.SKUs) != 1 ||
		a.SKUs[0].Left == nil {
		return fmt.Errorf("the answer is %d %s, %w", status, body, err)
	}
	if k := a.SKUs[0]; *k.Left != left || k.Available != (left > 0) || a.State != "open" {
		return errors.New(body)
	}
	return nil
}
