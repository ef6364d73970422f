package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

const (
	redrawEvery = 500 * time.Millisecond
	rateOver    = 10 * time.Second // that a rate is the average of
)

// glance is a sale as it was just read.
type glance struct {
	gate.SaleView
	window string  // when it opens or closes
	rate   float64 // new orders a second
	notes  []string
}

// glances reads the sale that was named, or all, and what keeps them from selling.
func (c *statusCommand) glances(ctx context.Context, s *store.Store) ([]glance, error) {
	all, err := c.glanceAt(ctx, s)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].notes = notes(&all[i].SaleView)
	}
	if c.WaitReplicas > 0 && len(all) > 0 {
		replicas, known, err := s.Following(ctx)
		if err != nil {
			return nil, err
		}
		all[0].notes = append(all[0].notes, followingText(replicas, known, c.WaitReplicas))
	}
	return all, nil
}

// notes says what keeps a sale from selling or from giving money back.
func notes(s *gate.SaleView) (all []string) {
	if s.Problem != "" {
		all = append(all, s.Problem)
	}
	if s.Clock != "" {
		all = append(all, s.Sale+": "+s.Clock)
	}
	if s.RefundBrake != nil {
		all = append(all, s.Sale+": "+brakeText(s.Sale, s.RefundBrake))
	}
	return all
}

func (c *statusCommand) glanceAt(ctx context.Context, s *store.Store) ([]glance, error) {
	if c.Sale != "" {
		state, err := s.Sale(ctx, c.Sale)
		if err != nil {
			return nil, gate.Gone(ctx, s, c.Sale, err)
		}
		return []glance{{SaleView: state.View(), window: window(&state)}}, nil
	}
	views, err := gate.SaleViews(ctx, s)
	var all []glance
	for _, v := range views {
		all = append(all, glance{SaleView: v})
	}
	return all, err
}

// watchSales shows sales until ctx is done. Once they could be read, an error is shown as well: who
// watches while Redis fails wants to see when it is back.
func watchSales(ctx context.Context, env *environment, read func() ([]glance, error)) error {
	b := &board{env: env, meters: map[string]*meter{}, printed: map[string]string{}}
	defer b.close()
	for {
		sales, err := read()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && b.sales == nil:
			return err
		}
		if err := b.show(sales, err); err != nil {
			return err
		}
		if gate.Pause(ctx, redrawEvery); ctx.Err() != nil {
			return nil
		}
	}
}

// board shows sales on a terminal, or line by line.
type board struct {
	env     *environment
	sales   []glance // as they were last read
	meters  map[string]*meter
	printed map[string]string // the last line of each sale
	drawn   string            // the last picture; empty if there was none
}

// show shows the sales as they are now, or why they cannot be read.
func (b *board) show(sales []glance, trouble error) error {
	if trouble == nil {
		b.sales = sales
		for i := range sales {
			s := &sales[i]
			if b.meters[s.Sale] == nil {
				b.meters[s.Sale] = &meter{}
			}
			s.rate = b.meters[s.Sale].rate(time.Now(), s.Run, s.Orders.All())
		}
	}
	if b.env.screen == nil {
		return b.print(trouble)
	}
	return b.draw(trouble)
}

// print prints a line for each sale that has changed.
func (b *board) print(trouble error) error {
	lines := map[string]string{"": ""}
	if trouble != nil {
		lines[""] = "the sales cannot be read: " + trouble.Error()
	}
	for i := range b.sales {
		s := &b.sales[i]
		u := sumUnits(s.SKUs)
		lines[s.Sale] = fmt.Sprintf("%s: %s, %d left, %d held, %d paid, %d withheld of %d, %d orders", s.Sale, s.State,
			u.Left, u.Held, u.Paid, u.Withheld, u.Total, s.Orders.All())
	}
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		if line := lines[name]; line != b.printed[name] && line != "" {
			rate := ""
			if m := b.meters[name]; m != nil {
				rate = fmt.Sprintf(", %.1f new a second", m.last)
			}
			if _, err := fmt.Fprintf(b.env.out, "%s %s%s\n", time.Now().Format(time.RFC3339), line, rate); err != nil {
				return err
			}
		}
	}
	b.printed = lines
	return nil
}

// draw draws all of the screen in one write, so that it does not flicker.
func (b *board) draw(trouble error) error {
	width, height := b.env.screen()
	lines := picture(b.sales, trouble, width, height)
	text := "\x1b[H"
	if b.drawn == "" {
		text = "\x1b[?1049h\x1b[?25l" + text // on a screen of its own, without a cursor
	}
	b.drawn = strings.Join(lines, "\n") + "\n"
	for len(lines) < height {
		lines = append(lines, "")
	}
	_, err := fmt.Fprint(b.env.out, text, "\x1b[2K", strings.Join(lines, "\r\n\x1b[2K"))
	return err
}

// close leaves the screen as it was before, with the last picture below.
func (b *board) close() {
	if b.drawn != "" {
		fmt.Fprint(b.env.out, "\x1b[?25h\x1b[?1049l", b.drawn)
	}
}

// meter measures a rate.
type meter struct {
	run   int64
	marks []mark
	last  float64
}

type mark struct {
	at    time.Time
	count int64
}

// rate takes a count, and returns by how much it has grown in a second, on average.
func (m *meter) rate(now time.Time, run, count int64) float64 {
	if n := len(m.marks); n > 0 && (run != m.run || count < m.marks[n-1].count) {
		m.marks = nil // it counts something else now
	}
	m.run, m.marks = run, append(m.marks, mark{now, count})
	for now.Sub(m.marks[0].at) > rateOver {
		m.marks = m.marks[1:]
	}
	m.last = 0
	if since := now.Sub(m.marks[0].at).Seconds(); since > 0 {
		m.last = float64(count-m.marks[0].count) / since
	}
	return m.last
}

// sumUnits returns the units of all SKUs.
func sumUnits(skus []gate.SKUView) (sum gate.Units) {
	for _, k := range skus {
		sum = sum.Plus(k.Units)
	}
	return sum
}
