package bench

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plan is what a run measures.
type plan struct {
	rounds, threads int

	subjects     []subject // under each of the loads
	loads        []load
	burst        int   // connections at once; 0: no burst
	half         *load // whose peak rate half of is asked for; nil: not
	growth       []int // sizes of a sale, rising; nil: none
	goBenchmarks bool

	whole   bool   // nothing was left out
	results string // file to write, empty for none
}

// The parts of a run besides the subjects.
const (
	partBurst  = "burst"
	partHalf   = "half"
	partGrowth = "growth"
	partGo     = "go"
)

const wholeResults = "loadtest/RESULTS.md"

// Options are the flags of a run, with the tags of kong.
type Options struct {
	Connections string        `default:"16,128,1024" placeholder:"N,…" help:"Numbers of connections of the client (${default})."`
	Connecting  string        `default:"kept,new" placeholder:"KIND,…" help:"Whether connections are kept, or new for each request, or both in turns (${default})."`
	Duration    time.Duration `default:"3s" placeholder:"TIME" help:"How long each subject is under load in a round (${default}); 1s with new connections, because each uses up a local port."`
	Threads     int           `default:"2" placeholder:"N" help:"Threads of the client (${default})."`
	Rounds      int           `default:"5" placeholder:"N" help:"Rounds; each has every subject once (${default})."`
	Only        string        `placeholder:"NAME,…" help:"Subjects and parts to measure; without it all of them."`
	Burst       int           `default:"10000" placeholder:"N" help:"Connections of the burst (${default})."`
	Orders      string        `default:"1000,100000,1000000,5000000" placeholder:"N,…" help:"Sizes of the growing sale, rising (${default})."`
	JSON        bool          `name:"json" help:"Print everything as JSON."`
	Results     string        `placeholder:"FILE" help:"File for the results. Without it loadtest/RESULTS.md if nothing is left out, otherwise no file."`
}

// Help says what a run needs and what it measures.
func (*Options) Help() string {
	return `Measures the gate side by side with what bounds it from above, a bare fasthttp handler, and with the usual way of
doing its work, on a redis-server of its own, all on this machine and on loopback. It needs wrk, redis-server and go
(on Debian: apt-get install wrk redis-server golang), Linux for CPU times, some 12,000 open files for the burst
(ulimit -Hn), 3 GiB of free memory for the sale of 5,000,000 orders, and nothing else to do for the machine meanwhile.
It takes about a quarter of an hour, prints what it found, and writes it to ` + wholeResults + `.

Each subject is under load by wrk, at each number of connections, kept ones and a new one for each request, in turns:
  ` + list(subjects()) + `
and then come the parts
  burst   many new connections at once, each with one request, from a client in a process of its own
  half    latency at half of the peak rate, in an open loop: time counts from when a request was due
  growth  what a decision and an order cost as one sale grows
  go      Go's own benchmarks`
}

// Validate checks the flags together.
func (o *Options) Validate() error {
	_, err := o.plan(localPorts())
	return err
}

// plan says what to measure where there are so many ports for outgoing connections.
func (o *Options) plan(ports int) (*plan, error) {
	p := &plan{rounds: o.Rounds, threads: o.Threads, results: o.Results, whole: o.Only == ""}
	if p.whole && p.results == "" {
		p.results = wholeResults
	}
	base := load{Threads: o.Threads, Duration: o.Duration}
	numbers, err := parseNumbers("connections", o.Connections)
	sizes, sizesErr := parseNumbers("orders", o.Orders)
	err = errors.Join(err, sizesErr, p.check(base, numbers), checkKinds(o.Connecting), checkSizes(sizes, o.Burst))
	if err != nil {
		return nil, err
	}
	p.loads = loads(base, numbers, strings.Split(o.Connecting, ","), ports)
	peak := base
	peak.Connections = halfAt
	return p, p.choose(o.Only, o.Burst, peak, sizes)
}

// choose takes the named parts into the plan, or all if none is named.
func (p *plan) choose(names string, burst int, peak load, sizes []int) error {
	chosen := strings.Split(names, ",")
	if names == "" {
		chosen = append(subjectNames(), partBurst, partHalf, partGrowth, partGo)
	}
	all := subjects()
	for _, name := range chosen {
		switch name {
		case partBurst:
			p.burst = burst
		case partHalf:
			p.half = &peak
		case partGrowth:
			p.growth = sizes
		case partGo:
			p.goBenchmarks = true
		default:
			i := slices.IndexFunc(all, func(s subject) bool { return s.name == name })
			if i < 0 {
				return fmt.Errorf("--only %s: there is no such subject or part, only %s, %s, %s, %s, %s",
					name, list(all), partBurst, partHalf, partGrowth, partGo)
			}
			p.subjects = append(p.subjects, all[i])
		}
	}
	return nil
}

func subjectNames() (names []string) {
	for _, s := range subjects() {
		names = append(names, s.name)
	}
	return names
}

func list(all []subject) string {
	var names []string
	for _, s := range all {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

func (p *plan) check(l load, connections []int) error {
	switch {
	case p.rounds < 1:
		return fmt.Errorf("--rounds %d: must be at least 1", p.rounds)
	case l.Duration < time.Second || l.Duration%time.Second != 0:
		return fmt.Errorf("--duration %s: wrk takes whole seconds, at least 1s", l.Duration)
	case p.threads < 1 || p.threads > maxThreads || slices.Min(connections) < p.threads:
		return fmt.Errorf("--threads %d, --connections %d: 1 to %d threads, and a connection for each", p.threads,
			slices.Min(connections), maxThreads)
	}
	return nil
}

func checkKinds(kinds string) error {
	for kind := range strings.SplitSeq(kinds, ",") {
		if kind != kindKept && kind != kindNew {
			return fmt.Errorf("--connecting %s: must be %s, %s or both with a comma between", kinds, kindKept, kindNew)
		}
	}
	return nil
}

func checkSizes(sizes []int, burst int) error {
	switch {
	case burst < 1:
		return fmt.Errorf("--burst %d: must be at least 1", burst)
	case !slices.IsSorted(sizes):
		return fmt.Errorf("--orders %v: must rise", sizes)
	}
	return nil
}

// parseNumbers reads numbers above 0 with commas between. It always returns one.
func parseNumbers(flag, text string) (numbers []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return []int{1}, fmt.Errorf("--%s %s: must be numbers above 0 with commas between", flag, text)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// links is how many links each thread of the client may come to need.
func (p *plan) links() (most int) {
	for _, l := range p.loads {
		most = max(most, l.orders())
	}
	return most
}
