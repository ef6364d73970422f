package cli

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// watchEvery is how often a gate looks at what surrounds it.
const watchEvery = 2 * time.Second

// watcher warns of what keeps a gate from selling, or from what it does after that,
// once per change.
type watcher struct {
	sales    func() map[string]*gate.Settings
	untaken  []gate.Verdict // of sales that do not name what they take
	takesV1  func(accept []string) bool
	currency string // that payments must be in
	follow   *following
	checks   *checks
	log      *slog.Logger

	warned map[string]*gate.Settings // of what a sale does not take, or cannot sell
}

// run watches until ctx is done.
func (w *watcher) run(ctx context.Context) {
	var checking sync.WaitGroup
	defer checking.Wait()
	checking.Go(func() { w.checks.run(ctx) })
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		w.lookAtSales()
		w.follow.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// status is what it has seen.
func (w *watcher) status() gate.Status {
	return gate.Status{Replicas: w.follow.seen(), Checks: w.checks.list()}
}

// lookAtSales warns, once per sale and its settings, of each that takes less than
// PortOne can send, unless it says itself what it takes, and of each that takes amounts
// that cannot be sold in.
func (w *watcher) lookAtSales() {
	sales := w.sales()
	for _, name := range slices.Sorted(maps.Keys(sales)) {
		settings := sales[name]
		if w.warned[name] == settings {
			continue
		}
		if len(settings.Accept) == 0 && len(w.untaken) > 0 {
			w.log.Warn("a sale takes less than PortOne can send; name in its file what your shop uses, by accept",
				"sale", name, "refused", untaken(w.untaken))
		}
		if note := decimals(w.currency, w.takesV1(settings.Accept)); note != "" {
			w.log.Warn("a sale takes amounts that it cannot be sold in", "sale", name, "problem", note)
		}
	}
	w.warned = sales
}

// untaken says in a line what is refused, why, and what to add.
func untaken(verdicts []gate.Verdict) string {
	var parts []string
	for _, v := range verdicts {
		parts = append(parts, v.Cause.Means()+"; "+v.Field+" "+v.Want)
	}
	return strings.Join(parts, "; ")
}
