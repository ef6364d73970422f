package cli

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/flashgate/flashgate/gate"
)

const (
	checkEvery   = time.Minute      // how often each is tried
	checkTimeout = 10 * time.Second // of one try
	checksAtOnce = 8                // subjects of one check, so that many hosts take few files
)

// check is something that a gate depends on, and how to try it.
type check struct {
	name     string          // of gate.Checks
	subjects func() []string // what there is to try now, without secrets
	try      func(ctx context.Context, subject string) error
}

// checks tries what surrounds a gate. What is not as it should be it logs once, and
// shows until it is mended.
type checks struct {
	all   []check
	now   func() time.Time
	gauge *prometheus.GaugeVec
	log   *slog.Logger

	mu    sync.Mutex
	found map[string]map[string]gate.Check // by check and subject
	anew  map[string]bool                  // checks of which all is to be tried now
}

// newChecks registers what they find.
func newChecks(all []check, now func() time.Time, registry prometheus.Registerer, log *slog.Logger) *checks {
	c := &checks{
		all: all, now: now, log: log, found: map[string]map[string]gate.Check{}, anew: map[string]bool{},
		gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "flashgate_check_ok",
			Help: "1 while what this gate depends on is in order, 0 while it is not, NaN while that is not known. " +
				"check is portone_v1, portone_v2, redis_clock, redis_persistence, redis_min_replicas, shop_notify, " +
				"shop_ask or shop_forward.",
		}, []string{"check"}),
	}
	for _, k := range all {
		c.found[k.name] = map[string]gate.Check{}
		c.gauge.WithLabelValues(k.name).Set(math.NaN())
	}
	registry.MustRegister(c.gauge)
	return c
}

// run tries everything until ctx is done. No check waits for another.
func (c *checks) run(ctx context.Context) {
	var running sync.WaitGroup
	for i := range c.all {
		running.Go(func() { c.repeat(ctx, &c.all[i]) })
	}
	running.Wait()
}

func (c *checks) repeat(ctx context.Context, k *check) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		c.round(ctx, k)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// round tries what is due of a check.
func (c *checks) round(ctx context.Context, k *check) {
	var group errgroup.Group
	group.SetLimit(checksAtOnce)
	for _, subject := range c.due(k) {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			err := k.try(ctx, subject)
			if !errors.Is(ctx.Err(), context.Canceled) { // else the gate has given it up
				c.note(k.name, subject, err)
			}
			return nil
		})
	}
	_ = group.Wait() // none returns an error
}

// due returns the subjects that are to be tried now: those that were not for a
// minute, or never, and all after retry. Those that are no more it forgets.
func (c *checks) due(k *check) (due []string) {
	subjects, now := k.subjects(), c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	known, found := c.found[k.name], map[string]gate.Check{}
	for _, subject := range subjects {
		f, ok := known[subject]
		if !ok {
			f = gate.Check{Name: k.name, Subject: subject, Unknown: true, Problem: "it was not tried yet", Since: now}
		}
		if _, twice := found[subject]; !twice && (c.anew[k.name] || now.Sub(f.TriedAt) >= checkEvery) {
			due = append(due, subject)
		}
		found[subject] = f
	}
	for subject, f := range known {
		if _, still := found[subject]; !still && !f.OK && !f.TriedAt.IsZero() {
			c.log.Info("what this gate depended on is not needed any more", "check", k.name, "subject", subject)
		}
	}
	c.found[k.name] = found
	delete(c.anew, k.name)
	c.show(k.name)
	return due
}

// note keeps what came of a try, and logs what is new about it.
func (c *checks) note(name, subject string, err error) {
	now := c.now()
	next := gate.Check{
		Name: name, Subject: subject, OK: err == nil, Unknown: errors.As(err, new(*gate.UnknownError)),
		Since: now, TriedAt: now,
	}
	if err != nil {
		next.Problem = err.Error()
	}
	c.mu.Lock()
	last := c.found[name][subject]
	if last.OK == next.OK && last.Unknown == next.Unknown {
		next.Since = last.Since
	}
	c.found[name][subject] = next
	c.show(name)
	c.mu.Unlock()

	about := []any{"check", name, "subject", subject}
	switch {
	case last.OK == next.OK && last.Problem == next.Problem, next.OK && last.TriedAt.IsZero():
	case next.OK:
		c.log.Info("what this gate depends on is as it should be again", about...)
	case next.Unknown:
		c.log.Info("it is not known whether what this gate depends on is as it should be",
			append(about, "problem", next.Problem)...)
	default:
		c.log.Warn("what this gate depends on is not as it should be", append(about, "problem", next.Problem)...)
	}
}

// show sets the gauge of a check. It is called with the lock held.
func (c *checks) show(name string) {
	value := 1.0
	if len(c.found[name]) == 0 {
		value = math.NaN()
	}
	for _, f := range c.found[name] {
		switch {
		case f.Unknown && value != 0:
			value = math.NaN()
		case !f.OK && !f.Unknown:
			value = 0
		}
	}
	c.gauge.WithLabelValues(name).Set(value)
}

// retry has everything tried again soon.
func (c *checks) retry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.all {
		c.anew[k.name] = true
	}
}

// list returns what was found, in the order of the checks.
func (c *checks) list() []gate.Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []gate.Check{}
	for _, k := range c.all {
		first := len(all)
		for _, f := range c.found[k.name] {
			all = append(all, f)
		}
		slices.SortFunc(all[first:], func(a, b gate.Check) int { return cmp.Compare(a.Subject, b.Subject) })
	}
	return all
}
