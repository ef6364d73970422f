package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// Who looks why payments are refused must see that it is the clock.
func TestStatusSaysThatRedisClockIsInDoubt(t *testing.T) {
	t.Parallel()
	own := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	state := gate.State{
		Sale:  gate.Sale{Name: "race", Run: 1, Settings: gate.Settings{OpensAt: own, ClosesAt: own.Add(time.Hour)}},
		Times: gate.Times{Now: own, Doubt: &gate.ClockError{Redis: own.Add(time.Hour), Own: own}},
	}
	const want = "\n\nRedis' clock says 2026-12-01T11:00:00Z, this machine's 2026-12-01T10:00:00Z, "
	for doubted, times := range map[bool]gate.Times{true: state.Times, false: {Now: own}} {
		state.Times = times
		var out bytes.Buffer
		report := state.View()
		if err := printReport(&environment{out: &out}, &report, &state); err != nil ||
			strings.Contains(out.String(), want) != doubted {
			t.Errorf("in doubt %v: %v\n%s", doubted, err, &out)
		}
	}
}
