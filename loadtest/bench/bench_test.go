package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"

	"github.com/flashgate/flashgate/gate/redistest"
)

// TestMain makes this test binary the servers of floor and peer too, and the
// client of the open-loop parts, which run as processes of their own.
func TestMain(m *testing.M) {
	word := ""
	if len(os.Args) > 1 {
		word = os.Args[1]
	}
	var err error
	switch word {
	default:
		goleak.VerifyTestMain(m)
		return
	case ServerCommand:
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = Serve(ctx, os.Args[2:])
	case ClientCommand:
		err = Send(context.Background(), os.Args[2:], os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// parse reads the flags of a run, and checks them.
func parse(t *testing.T, args string) (*Options, error) {
	t.Helper()
	var o Options
	parser, err := kong.New(&o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(strings.Fields(args))
	return &o, err
}

func TestEverySubjectAndPartIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	redistest.Require(t, "redis-server")
	redistest.Require(t, "wrk")
	results := filepath.Join(t.TempDir(), "RESULTS.md")
	only := strings.Join(append(subjectNames(), partBurst, partHalf, partGrowth), ",")
	args := "--rounds 1 --duration 1s --connections 16 --connecting kept --burst 200 --orders 1000,2000 " +
		"--json --results " + results + " --only " + only
	o, err := parse(t, args)
	if err != nil {
		t.Fatal(err)
	}
	var out, progress bytes.Buffer
	if err := Run(t.Context(), o, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Loads {
		for _, s := range subjects() {
			f := c.Rounds[0][s.name]
			if f.Rate == 0 || f.P50 == 0 || f.P999 < f.P99 || f.ServerCPU == 0 {
				t.Errorf("%s, %s: got %+v", c.Title, s.name, f)
			}
			if stores := s.orders != nil; stores && (f.RedisCPU == 0 || f.Script == 0 || f.Batch < 1) ||
				s.sells && stores && f.Memory == 0 {
				t.Errorf("%s, %s: got %+v", c.Title, s.name, f)
			}
		}
	}
	if f := r.Burst.Rounds[0][gateName]; f.Orders != 200 || f.Failed != 0 || f.Max < f.P50 {
		t.Errorf("the burst: got %+v", f)
	}
	if f := r.Half.Rounds[0][gateName]; f.Failed != 0 || f.Asked == 0 || f.Rate == 0 || f.Requests != int(f.Asked) {
		t.Errorf("half of the peak: got %+v", f)
	}
	for i, want := range []int{1000, 2000} {
		if s := r.Growth[i]; s.Orders != want || s.Script == 0 || s.Peer == 0 || s.P99 < s.P50 || s.Memory < 100 {
			t.Errorf("growth: got %+v", s)
		}
	}
	text, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"## Subjects", "## 16 kept connections", "## Side by side", "## A burst",
		"## Half of the peak rate", "## One sale, growing",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the results have no %s", want)
		}
	}
}

func TestCommandLineIsChecked(t *testing.T) {
	t.Parallel()
	f := func(args, want string) {
		t.Helper()
		_, err := parse(t, args)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
	f("--only gatte", "only floor, peer, gate, signed, no-buyer, no-mirror, sold-out, sold-out-signed, "+
		"sold-out-asked, replicated, burst, half, growth, go")
	f("--only floor,", "no such subject")
	f("--rounds 0", "--rounds 0")
	f("--duration 1500ms", "whole seconds")
	f("--duration 0s", "whole seconds")
	f("--threads 0", "--threads 0")
	f("--threads 100 --connections 200", "1 to 99")
	f("--threads 4 --connections 8,2", "a connection for each")
	f("--connections 8,", "--connections 8,: must be numbers")
	f("--connections 0", "--connections 0: must be numbers")
	f("--connecting kept,old", "--connecting kept,old: must be kept, new")
	f("--burst 0", "--burst 0")
	f("--orders 2000,1000", "must rise")
}

func TestServersAndClientsAreForTheProgramsOwnUse(t *testing.T) {
	t.Parallel()
	f := func(command string, err error) {
		t.Helper()
		if err == nil || !strings.HasPrefix(err.Error(), command+" [") || !strings.Contains(err.Error(), "own use") {
			t.Errorf("%s: %v", command, err)
		}
	}
	for _, args := range []string{"", "gate 127.0.0.1:1 127.0.0.1:2"} {
		f(ServerCommand, Serve(t.Context(), strings.Fields(args)))
	}
	for _, args := range []string{"", "{}", `{"requests":1,"rate":1}`} {
		f(ClientCommand, Send(t.Context(), strings.Fields(args), io.Discard))
	}
}

func TestWhatIsNamedIsPlanned(t *testing.T) {
	t.Parallel()
	f := func(args, want string) {
		t.Helper()
		o, err := parse(t, args)
		if err != nil {
			t.Fatal(err)
		}
		p, err := o.plan(10_000)
		if err != nil {
			t.Fatal(err)
		}
		var loads []string
		for _, l := range p.loads {
			loads = append(loads, fmt.Sprintf("%s for %s most %d", l, l.Duration, l.Most))
		}
		got := fmt.Sprintf("%s; %s; burst %d half %t growth %v go %t; results %q", list(p.subjects),
			strings.Join(loads, ", "),
			p.burst, p.half != nil, p.growth, p.goBenchmarks, p.results)
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", args, got, want)
		}
	}
	f("--connections 8 --connecting kept --burst 7 --orders 1,2",
		`floor, peer, gate, signed, no-buyer, no-mirror, sold-out, sold-out-signed, sold-out-asked, replicated; 8 kept for 3s most 0; burst 7 half true growth [1 2] go true; results "loadtest/RESULTS.md"`)
	f("--connections 8,9 --duration 2s --only peer,floor,half",
		`peer, floor; 8 kept for 2s most 0, 9 kept for 2s most 0, 8 new for 1s most 9000, 9 new for 1s most 9000; burst 0 half true growth [] go false; results ""`)
	f("--connections 8 --connecting new --only growth --orders 5 --results x",
		`; 8 new for 1s most 9000; burst 0 half false growth [5] go false; results "x"`)
}

func TestHelpSaysWhatIsNeeded(t *testing.T) {
	t.Parallel()
	said := (&Options{}).Help()
	for _, want := range []string{
		"needs wrk, redis-server and go", "ulimit -Hn", "GiB of free memory",
		"replicated", "growth",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
}

func TestMissingProgramsAreNamed(t *testing.T) {
	t.Parallel()
	if err := needed("go"); err != nil {
		t.Error(err)
	}
	err := needed("go", "wrq", "radish-server")
	if err == nil || !strings.HasPrefix(err.Error(), "wrq, radish-server not found: install") {
		t.Errorf("got %v", err)
	}
}
