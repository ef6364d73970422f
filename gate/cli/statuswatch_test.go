package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// raceAt is how the sale "race" is seen with so many units left of its first SKU, of 100.
func raceAt(left int64, others ...gate.SKUView) glance {
	return glance{
		SaleView: gate.SaleView{
			Sale: "race", Run: 1, State: "open",
			SKUs: append([]gate.SKUView{
				{SKU: "full", Units: gate.Units{Total: 100, Left: left, Held: 100 - left}},
			}, others...),
			Orders: gate.OrderCounts{Held: 100 - left},
		},
		window: ", closes in 1h0m0s",
	}
}

func TestAPictureHasABarForEachSKU(t *testing.T) {
	t.Parallel()
	s := raceAt(70, gate.SKUView{SKU: "half", Units: gate.Units{Total: 40, Paid: 20, Withheld: 10, Left: 10}})
	s.rate = 12.34
	const want = `race  run 1  open, closes in 1h0m0s
12.3 new orders a second
orders: 30 held, 0 paid, 0 released, 0 refund due, 0 refunded, 0 asking

full  ===============......................................  70 left of 100
half  ##########################xxxxxxxxxxxxx..............  10 left of 40

# paid  = held  x withheld  . left`
	if got := strings.Join(picture([]glance{s}, nil, 75, 24), "\n"); got != want {
		t.Errorf("the picture is\n%s\nwant\n%s", got, want)
	}
	// Where it is narrower the bars are shorter, and then they go.
	for width, want := range map[int]string{
		52: "\nfull  =========.....................  70 left of 100\n", 30: "\nfull  ==......  70 left of 100\n",
		29: "\nfull  70 left of 100\n",
	} {
		if got := strings.Join(picture([]glance{s}, nil, width, 24), "\n"); !strings.Contains(got, want) {
			t.Errorf("in %d columns it is\n%s", width, got)
		}
	}
}

func TestAPictureFits(t *testing.T) {
	t.Parallel()
	long := raceAt(1)
	long.Sale, long.notes = strings.Repeat("s", gate.MaxName), []string{strings.Repeat("doubt ", 40)}
	for i := range 200 {
		long.SKUs = append(long.SKUs, gate.SKUView{
			SKU: fmt.Sprint(strings.Repeat("n", 60), i), Units: gate.Units{Total: 3, Left: 1, Held: 1, Paid: 1},
		})
	}
	trouble := errors.New("Redis, that is at " + strings.Repeat("1", 300))
	for _, sales := range [][]glance{nil, {long}, {long, raceAt(7), raceAt(50)}} {
		for width := 1; width < 150; width += 7 {
			for height := 1; height < 40; height++ {
				lines := picture(sales, trouble, width, height)
				if len(lines) > height {
					t.Fatalf("%d lines in %dx%d", len(lines), width, height)
				}
				for _, line := range lines {
					if len(line) > width || strings.Contains(line, "\n") {
						t.Fatalf("in %dx%d there is %q", width, height, line)
					}
				}
			}
		}
	}
}

// No unit is missing in the picture: those that find no line are summed.
func TestAPictureSumsWhatFindsNoRoom(t *testing.T) {
	t.Parallel()
	var more []gate.SKUView
	for i := range 10 {
		units := gate.Units{Total: 10, Left: int64(i), Paid: 10 - int64(i)}
		more = append(more, gate.SKUView{SKU: fmt.Sprint("sku-", i), Units: units})
	}
	f := func(height int, want ...string) {
		t.Helper()
		text := strings.Join(picture([]glance{raceAt(70, more...)}, nil, 100, height), "\n")
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("in %d lines it lacks %q:\n%s", height, part, text)
			}
		}
	}
	f(17, "  9 left of 10\n")
	f(16, "\nsku-7 ", "\n2 more", "  17 left of 20\n")
	f(8, "\nfull ", "\n10 more", "  45 left of 100\n")
	f(7, "\n11 more", "  115 left of 200\n")
}

func TestManySalesHaveABarEach(t *testing.T) {
	t.Parallel()
	a, b := raceAt(70, gate.SKUView{SKU: "half", Units: gate.Units{Total: 50, Left: 5, Paid: 45}}), raceAt(100)
	b.Sale, b.State, b.rate, a.rate = "swim", "not_open", 1, 2
	b.notes = notes(&gate.SaleView{Sale: "swim", Clock: "it is wrong", Problem: "something else is"})
	text := strings.Join(picture([]glance{a, b}, nil, 100, 24), "\n")
	for _, part := range []string{
		"2 sales, 3.0 new orders a second\n", "\nrace  ####", "  75 left of 150  open, 2.0/s\n",
		"\nswim  ....", "  100 left of 100  not_open, 1.0/s\n", "\nsomething else is\nswim: it is wrong",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("it lacks %q:\n%s", part, text)
		}
	}
}

// watched runs a watch in virtual time over what readings return, one after the other, and returns
// what was written and the error that it ended with.
func watched(t *testing.T, screen func() (int, int), readings ...any) (written string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var out bytes.Buffer
		err = watchSales(ctx, &environment{out: &out, screen: screen}, func() ([]glance, error) {
			reading := readings[0]
			if readings = readings[1:]; len(readings) == 0 {
				cancel()
			}
			if fails, is := reading.(error); is {
				return nil, fails
			}
			return []glance{reading.(glance)}, nil
		})
		written = out.String()
	})
	return written, err
}

func TestAWatchPrintsALineWhenSomethingHasChanged(t *testing.T) {
	t.Parallel()
	paused := raceAt(60)
	paused.State = "paused"
	text, err := watched(t, nil, raceAt(100), raceAt(100), raceAt(60), errors.New("no Redis"), errors.New("no Redis"),
		raceAt(60), paused, raceAt(60))
	var got []string
	for line := range strings.Lines(text) {
		at, rest, _ := strings.Cut(line, " ")
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			t.Error(err)
		}
		got = append(got, rest)
	}
	const want = `race: open, 100 left, 0 held, 0 paid, 0 withheld of 100, 0 orders, 0.0 new a second
race: open, 60 left, 40 held, 0 paid, 0 withheld of 100, 40 orders, 40.0 new a second
the sales cannot be read: no Redis
race: paused, 60 left, 40 held, 0 paid, 0 withheld of 100, 40 orders, 13.3 new a second
`
	if strings.Join(got, "") != want || err != nil {
		t.Errorf("it prints, and ends with %v:\n%s\nwant\n%s", err, strings.Join(got, ""), want)
	}
}

// The terminal is given back as it was, with the last picture on it.
func TestAWatchDrawsOnATerminal(t *testing.T) {
	t.Parallel()
	text, err := watched(t, func() (int, int) { return 70, 12 }, raceAt(100), raceAt(60), errors.New("no Redis"),
		raceAt(60))
	const enter, home, leave = "\x1b[?1049h\x1b[?25l", "\x1b[H", "\x1b[?25h\x1b[?1049l"
	frames := strings.Split(strings.TrimPrefix(text, enter), home)
	if err != nil || len(frames) != 4 || !strings.HasPrefix(text, enter) || strings.Count(text, leave) != 1 {
		t.Fatalf("%d frames, %v:\n%q", len(frames)-1, err, text)
	}
	for i, want := range []string{"100 left of 100", "60 left of 100", "cannot be read now: no Redis"} {
		frame, after, _ := strings.Cut(frames[i+1], leave)
		if lines := strings.Split(frame, "\r\n"); len(lines) != 12 || !strings.Contains(frame, want) {
			t.Errorf("frame %d has %d lines and lacks %q:\n%s", i, len(lines), want, frame)
		}
		if i == 2 && !strings.Contains(after, "cannot be read now: no Redis\n") || i < 2 && after != "" {
			t.Errorf("after frame %d stays %q", i, after)
		}
	}
}

func TestAWatchOfWhatCannotBeReadEnds(t *testing.T) {
	t.Parallel()
	screen := func() (int, int) { return 70, 12 }
	if text, err := watched(t, screen, errors.New("no such sale"), raceAt(1)); err == nil ||
		err.Error() != "no such sale" || text != "" {
		t.Errorf("%v, and it writes %q", err, text)
	}
}

func TestARateIsOfTheLastSeconds(t *testing.T) {
	t.Parallel()
	var m meter
	start := time.Now()
	f := func(second float64, run, count int64, want float64) {
		t.Helper()
		if got := m.rate(start.Add(time.Duration(second*float64(time.Second))), run, count); got != want {
			t.Errorf("after %v s: %v a second, want %v", second, got, want)
		}
	}
	f(0, 1, 100, 0)
	f(1, 1, 110, 10)
	f(2, 1, 110, 5)
	f(11, 1, 110, 0)
	f(12, 1, 115, 0.5)
	f(13, 2, 500, 0) // another run
	f(14, 2, 501, 1)
	f(15, 2, 3, 0) // made anew
}

// Ctrl-C is how it is to end.
func TestStatusWatchesUntilInterrupted(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t).URL()
	applySale(t, redis, openSale("race", 10))
	for _, args := range [][]string{{"race"}, nil} {
		var out, errOut journal
		watcher := programCommand(t, "flashgate", append([]string{"status", "--watch", "--redis", redis}, args...)...)
		watcher.Stdout, watcher.Stderr = &out, &errOut
		if err := watcher.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = watcher.Process.Kill() })
		says := func(want string) {
			t.Helper()
			await(t, want, func() error {
				if said := out.String(); !strings.Contains(said, want) {
					return fmt.Errorf("it says %q", said)
				}
				return nil
			})
		}
		says(" race: open, 10 left, 0 held")
		command(t, "pause", "--redis", redis, "race")
		says(" race: paused, 10 left, 0 held")
		command(t, "resume", "--redis", redis, "race")
		if err := watcher.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := watcher.Wait(); err != nil || errOut.String() != "" {
			t.Errorf("it ended with %v: %s", err, errOut.String())
		}
	}
	if status, _, said := try(t, nil, "status", "--watch", "--redis", redis, "nothing"); status != 1 ||
		!strings.Contains(said, "there is no sale nothing") {
		t.Errorf("a sale that is not there: %d %s", status, said)
	}
	if status, _, said := try(t, nil, "status", "--watch", "--refunds", "--redis", redis, "race"); status != 2 ||
		!strings.Contains(said, "flashgate ledger --follow") {
		t.Errorf("of refunds: %d %s", status, said)
	}
}
