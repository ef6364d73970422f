package lane

import (
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/mirror"
)

// expect returns a missing sale as this gate's file has it, or with its name alone. A sale known by
// name takes calls of any version, so that each is told that the sale is missing.
func (g *Gate) expect(name string) gate.Sale {
	if sale, ok := g.expected[name]; ok {
		return sale
	}
	return gate.Sale{Name: name, Settings: gate.Settings{Accept: gate.VersionNames()}}
}

// miss marks the lane of a missing sale, and makes the lane if there is none yet.
func (g *Gate) miss(lane *Lane, name string) *Lane {
	if lane == nil {
		lane = g.newLane(&gate.State{Sale: g.expect(name)})
	}
	if c := *lane.catalogue.Load(); !c.missing {
		c.missing = true
		lane.catalogue.Store(&c)
	}
	// A sale's name is written a moment before the sale, so the sale counts as missing the second time.
	if lane.misses++; lane.misses == 2 {
		lane.sayMissing()
	}
	g.show(lane, &reading{state: &gate.State{Sale: lane.catalogue.Load().sale}})
	return lane
}

func (l *Lane) sayMissing() {
	if !l.lost() {
		l.log.Info("a sale of the file is over, and Redis knows no run of it: it is not created, and its payments "+
			"are refused as closed", "sale", l.name)
		return
	}
	l.log.Error("a sale is missing: it is expected, Redis has nothing of it, and its payments are refused",
		"sale", l.name, "never_sold_yet", gate.NeverSold, "lost", gate.WasSold)
}

// lost reports whether the sale is missing and a person must act. A sale of the file that is over,
// and that this gate has never seen, need not be there.
func (l *Lane) lost() bool {
	c := l.catalogue.Load()
	return c.missing && (c.version > 0 || c.unknown(l.now()).Code != gate.Closed)
}

// spoil makes the lane of a sale that cannot be read, if there is none yet. A lane whose sale was read
// before keeps the settings that it has.
func (g *Gate) spoil(lane *Lane, name string) *Lane {
	if lane == nil {
		lane = g.newLane(&gate.State{Sale: g.expect(name)})
		c := *lane.catalogue.Load()
		c.unreadable = true
		lane.catalogue.Store(&c)
		g.show(lane, &reading{state: &gate.State{Sale: c.sale}})
	}
	return lane
}

// unknown is the verdict on every confirm of a sale that is missing or cannot be
// read.
func (c *catalogue) unknown(now time.Time) gate.Verdict {
	switch {
	case c.unreadable, c.sale.ClosesAt.IsZero(): // this gate does not know the window
	case now.Add(mirror.Edge).Before(c.sale.OpensAt):
		return gate.Refuse(gate.NotOpen)
	case !now.Before(c.sale.ClosesAt):
		return gate.Refuse(gate.Closed)
	}
	return gate.Refuse(c.doubt())
}

// doubt is the code for confirms of a sale that is missing or cannot be read, whatever its window
// is.
func (c *catalogue) doubt() gate.Code {
	if c.unreadable {
		return gate.Unavailable
	}
	return gate.Recovering
}
