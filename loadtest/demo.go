package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cli"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/store"
	"github.com/flashgate/flashgate/loadtest/chance"
	"github.com/flashgate/flashgate/loadtest/launch"
	"github.com/flashgate/flashgate/loadtest/portonesim"
)

type demoCommand struct {
	Tickets     int64   `default:"500" placeholder:"N" help:"Tickets on sale (${default})."`
	Buyers      int     `default:"20000" placeholder:"N" help:"People who want one (${default})."`
	Rate        float64 `default:"1000" placeholder:"N" help:"Requests a second when the sale opens (${default})."`
	Gates       int     `default:"3" placeholder:"N" help:"Gates that share the store (${default})."`
	Declines    float64 `default:"0.2" placeholder:"SHARE" help:"Cards that are declined after the gate's 200 (${default}); their tickets are on sale again."`
	ShopRefuses float64 `placeholder:"SHARE" help:"Orders that the shop says no to; without it the shop is not asked for its last word."`
	Seed        uint64  `default:"1" placeholder:"N" help:"The same number draws the same buyers and cards (${default})."`
	HTML        string  `name:"html" placeholder:"FILE" help:"Where the report goes; without it to flashgate-demo.html in the directory for temporary files."`
}

// Help says what the demo shows.
func (*demoCommand) Help() string {
	return `Starts a store in memory, a simulated PortOne and the gates, all in this program and on free ports of this
machine. Then a sale opens: the buyers come, a tenth of them press twice, a few requests are hostile, some cards are
declined. Every answer is checked, every payment settled, and in the end everything is recounted. Nothing is kept but
the report. Buyers, gates and store share this machine, so that its latencies are not those of a deployment.`
}

// Validate checks the flags.
func (c *demoCommand) Validate() error {
	switch {
	case c.Tickets < 1 || c.Tickets > gate.MaxUnits || c.Buyers < 1 || c.Buyers > 1_000_000:
		return fmt.Errorf("--tickets must be between 1 and %d, --buyers between 1 and 1000000", gate.MaxUnits)
	case c.Gates < 1 || c.Gates > 16:
		return fmt.Errorf("--gates %d: must be between 1 and 16", c.Gates)
	}
	err := chance.Check(chance.Share{Flag: "--declines", Of: c.Declines},
		chance.Share{Flag: "--shop-refuses", Of: c.ShopRefuses})
	if err != nil {
		return err
	}
	_, err = launch.ShapeFor("launch", c.Rate, c.Buyers)
	return err
}

// Run plays a launch from its beginning to the audit.
func (c *demoCommand) Run(ctx context.Context, env *environment) (err error) {
	embedded, err := store.StartEmbedded()
	if err != nil {
		return err
	}
	defer embedded.Close()
	group, running := errgroup.WithContext(ctx)
	running, stop := context.WithCancel(running)
	defer func() {
		stop()
		err = errors.Join(err, group.Wait())
		if ctx.Err() != nil {
			err = errors.New("interrupted: everything is stopped, and nothing is kept")
		}
	}()

	c.say(env, "store in memory, %d gates and a simulated PortOne, all in this program", c.Gates)
	set := &scenery{redis: embedded.URL(), env: &environment{out: io.Discard, err: env.err, version: env.version}}
	if err := set.open(running, group, c); err != nil {
		return err
	}
	opens := time.Now().Add(c.lead())
	sale := c.sale(opens)
	if set.shop != "" {
		sale.Ask = set.shop + "/ask"
		c.say(env, "a stand-in for the shop has the last word on each order, and says no to %.0f%% of them",
			100*c.ShopRefuses)
	}
	if err := set.createSale(ctx, sale); err != nil {
		return err
	}
	c.say(env, "%d tickets, %d buyers, %.0f%% of the cards are declined; the sale opens at %s", c.Tickets, c.Buyers,
		100*c.Declines, opens.Format(time.TimeOnly))
	rehearsal := c.rehearsal(set)
	err = rehearsal.Run(ctx, env)
	if err == nil || errors.Is(err, errFailed) {
		c.say(env, "the report: %s", rehearsal.HTML)
	}
	return err
}

func (c *demoCommand) say(env *environment, format string, values ...any) {
	fmt.Fprintf(env.err, format+"\n", values...)
}

// lead is how long before the sale opens the first buyers come, and a moment to
// get ready. Duplicates and hostile requests make a run a little longer.
func (c *demoCommand) lead() time.Duration {
	shape, err := launch.ShapeFor("launch", c.Rate, c.Buyers*5/4)
	if err != nil { // Validate has seen that it can be drawn
		return time.Second
	}
	return shape.Opening() + time.Second
}

func (c *demoCommand) sale(opens time.Time) gate.Sale {
	return gate.Sale{Name: "demo", Run: 1, Settings: gate.Settings{
		OpensAt: opens, ClosesAt: opens.Add(time.Hour), Hold: time.Minute, PerBuyer: 2,
		SKUs: []gate.SKU{{Name: "ticket", Stock: c.Tickets, Price: new(int64(110_000))}},
	}}
}

// demoDelay is how late buyers may come without a warning. They share the machine with everything else, so they wait
// for a processor too. Only a delay that flattens the rush is worth a warning.
const demoDelay = 250 * time.Millisecond

func (c *demoCommand) rehearsal(s *scenery) *launchCommand {
	html := c.HTML
	if html == "" {
		html = filepath.Join(os.TempDir(), "flashgate-demo.html")
	}
	return &launchCommand{
		maxDelay: demoDelay, noun: "tickets",
		MaxInFlight: 20_000, Timeout: 10 * time.Second, Within: 5 * time.Second, Lookups: 32, HTML: html,
		Pay: s.payments, Shop: s.shop, Settle: 30 * time.Second,
		requestFlags: requestFlags{
			SigningKey: &s.key, Target: s.public, Sale: "demo", Shape: "launch", Rate: c.Rate, Demand: c.Buyers,
			Duplicates: .1, Hostile: .02, Bodies: []string{
				"v1",
				"v1-form",
			}, Expires: time.Hour, Seed: c.Seed, Admin: s.admin,
		},
	}
}

// scenery is what a demo has running.
type scenery struct {
	redis    string
	key      string // that links are signed with
	env      *environment
	public   []string // the gates' URLs
	payments string   // the simulated PortOne's
	secret   string   // that signs what the shop is asked
	shop     string   // the stand-in's for the shop; empty where it has no last word
	admin    string   // the first gate's
}

// open starts the simulated PortOne and the gates.
func (s *scenery) open(ctx context.Context, group *errgroup.Group, c *demoCommand) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	s.key = "demo:" + base64.StdEncoding.EncodeToString(secret)
	_, _ = rand.Read(secret)
	s.secret = "whsec_" + base64.StdEncoding.EncodeToString(secret)
	sim := &portoneSimCommand{
		Listen: "127.0.0.1:0", V1Key: "demo", V1Secret: "demo", V2Secret: "demo", Seed: c.Seed,
		Plan:           portonesim.Plan{Declines: c.Declines},
		ConfirmTimeout: 10 * time.Second, LogLevel: slog.LevelError,
	}
	if c.ShopRefuses > 0 {
		sim.standinFlags = standinFlags{Shop: "127.0.0.1:0", ShopSecret: s.secret, ShopRefuses: c.ShopRefuses}
	}
	at, err := begin(ctx, group, func(ctx context.Context, started func(simulated)) error {
		return sim.simulate(ctx, s.env, started)
	})
	if err != nil {
		return err
	}
	s.payments = "http://" + at.portone.String()
	if at.shop != nil {
		s.shop = "http://" + at.shop.String()
	}
	for number := range c.Gates {
		addrs, err := begin(ctx, group, func(ctx context.Context, started func([2]string)) error {
			flags, secrets := s.gate(fmt.Sprintf("gate-%d", number+1), sim)
			return cli.Serve(ctx, flags, secrets, s.env.err, s.env.version, func(public, admin net.Addr) {
				started([2]string{"http://" + public.String(), "http://" + admin.String()})
			})
		})
		if err != nil {
			return err
		}
		s.public = append(s.public, addrs[0])
		s.admin = addrs[1]
	}
	return nil
}

// gate returns the flags of a gate that looks payments up soon, and its secrets as
// variables.
func (s *scenery) gate(name string, sim *portoneSimCommand) (flags, secrets []string) {
	return []string{
		"--name", name, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--redis", s.redis,
		"--redis-timeout", lane.MaxCallTimeout.String(),
		"--portone-v1-url", s.payments, "--portone-v1-key", sim.V1Key, "--portone-rate", "1000", "--first-look", "1s",
		"--grace", "1s",
		"--language", "en", "--drain-wait", "0s", "--log-level", "error",
	}, []string{
		"FLASHGATE_SIGNING_KEY=" + s.key, "FLASHGATE_PORTONE_V1_SECRET=" + sim.V1Secret,
		"FLASHGATE_NOTIFY_SECRET=" + s.secret,
	}
}

func (s *scenery) createSale(ctx context.Context, sale gate.Sale) error {
	st, err := store.Open(s.redis,
		store.Deps{Log: cmdline.NewLog(s.env.err, "text", slog.LevelError)},
		store.Options{Who: "demo", Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	return errors.Join(st.Create(ctx, gate.Creation{Who: "demo", Sale: sale, OpenNow: true}), st.Close())
}

// begin runs a part until ctx is done. Once the part has started, begin returns what it reports.
func begin[T any](ctx context.Context, group *errgroup.Group,
	run func(ctx context.Context, started func(T)) error,
) (T, error) {
	up, ended := make(chan T, 1), make(chan struct{})
	group.Go(func() error {
		defer close(ended)
		return run(ctx, func(told T) { up <- told })
	})
	select {
	case told := <-up:
		return told, nil
	case <-ended: // what it ended with, the group tells
		var none T
		return none, errors.New("a part of the demo did not start")
	}
}
