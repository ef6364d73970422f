package cli

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
)

// following watches whether as many replicas follow as are waited for.
type following struct {
	read   func(context.Context) (replicas int, known bool, err error)
	needed int // 0: none is waited for
	gauge  prometheus.Gauge
	log    *slog.Logger

	said string // what was logged last; used by look alone

	mu    sync.Mutex
	state gate.Replicas // as it was seen last
}

// newFollowing registers what it watches.
func newFollowing(read func(context.Context) (int, bool, error), needed int, registry prometheus.Registerer,
	log *slog.Logger,
) *following {
	f := &following{read: read, needed: needed, log: log, gauge: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "flashgate_replicas", Help: "Replicas of Redis that are online; in a Cluster, those of the primary " +
			"with the fewest. NaN while that is not known or --wait-replicas is 0.",
	})}
	wanted := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "flashgate_replicas_needed", Help: "Replicas that a 200 waits for: --wait-replicas.",
	})
	f.gauge.Set(math.NaN())
	wanted.Set(float64(needed))
	registry.MustRegister(f.gauge, wanted)
	f.keep(gate.Replicas{Needed: needed, Problem: "Redis was not asked yet how many replicas follow"})
	return f
}

// look reads how many replicas there are, and logs it once per change.
func (f *following) look(ctx context.Context) {
	if f.needed == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, watchEvery)
	defer cancel()
	replicas, known, err := f.read(ctx)
	if err != nil { // the reading of the sales logs it
		f.gauge.Set(math.NaN())
		f.keep(gate.Replicas{Needed: f.needed, Problem: "Redis could not be asked how many replicas follow"})
		return
	}
	f.keep(replicasOf(replicas, known, f.needed))
	said, level := followingText(replicas, known, f.needed), slog.LevelInfo
	if f.gauge.Set(float64(replicas)); !known {
		f.gauge.Set(math.NaN())
	}
	if known && replicas < f.needed {
		level = slog.LevelWarn
	}
	if said != f.said {
		f.log.Log(ctx, level, said, "replicas", replicas, "needed", f.needed)
	}
	f.said = said
}

func (f *following) keep(r gate.Replicas) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = r
}

// seen returns what was seen last; nil where no replica is waited for.
func (f *following) seen() *gate.Replicas {
	if f.needed == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return new(f.state)
}

// replicasOf is what operators are shown of it.
func replicasOf(replicas int, known bool, needed int) gate.Replicas {
	r := gate.Replicas{Needed: needed}
	if known {
		r.Have = &replicas
	}
	if !known || replicas < needed {
		r.Problem = followingText(replicas, known, needed)
	}
	return r
}

// followingText says whether there are as many replicas as are waited for.
func followingText(replicas int, known bool, needed int) string {
	switch {
	case !known:
		return "Redis does not tell how many replicas it has: make sure that there are as many as --wait-replicas says"
	case replicas < needed:
		return fmt.Sprintf("nothing is sold: Redis has %d replicas online, and --wait-replicas needs %d: start "+
			"replicas, or set fewer (0 on a Redis without any)", replicas, needed)
	}
	return fmt.Sprintf("Redis has as many replicas as --wait-replicas needs: %d online, %d needed", replicas, needed)
}
