package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/loadtest/chance"
	"github.com/flashgate/flashgate/loadtest/launch"
)

type launchCommand struct {
	requestFlags
	NewConnections bool          `help:"A new connection for each request, as from a proxy that keeps none."`
	MaxInFlight    int           `default:"20000" placeholder:"N" help:"Requests that may wait for an answer at once; further ones go out late (${default})."`
	Timeout        time.Duration `default:"10s" help:"How long to wait for an answer (${default}, as PortOne does)."`
	Within         time.Duration `default:"5s" help:"A later answer counts as missing: PortOne's shorter time-out (${default})."`
	CA             string        `name:"ca" placeholder:"FILE" help:"PEM file of the CA that signed the target's certificate, if the system does not trust it."`
	Tolerate       float64       `placeholder:"SHARE" help:"Share of the requests that may go without an answer in time, such as while a gate is killed."`
	Pay            string        `placeholder:"URL" help:"A simulated PortOne (flashgate-loadtest portone-sim) that pays or declines the orders that got a 200. The gates must look payments up there too. Needs --admin."`
	Shop           string        `placeholder:"URL" help:"The stand-in for the shop that the sale asks (flashgate-loadtest portone-sim --shop), such as http://127.0.0.1:8082: the gates' answers are checked against its log."`
	Settle         time.Duration `placeholder:"TIME" help:"How long to wait after the run until no order is held any more; without it 2m with --pay, and not at all otherwise."`
	Lookups        int           `default:"32" placeholder:"N" help:"Orders looked up at once in the audit (${default})."`
	JSON           string        `name:"json" placeholder:"FILE" help:"Write the report as JSON."`
	HTML           string        `name:"html" placeholder:"FILE" help:"Write the report as one page that needs no network."`

	maxDelay time.Duration // launch.Run.MaxDelay
	noun     string        // launch.Run.Noun
}

// errFailed says that a rehearsal went wrong; its report says how.
var errFailed = errors.New("the rehearsal failed: see the checks above")

// Validate checks the flags together.
func (c *launchCommand) Validate() error {
	switch {
	case c.MaxInFlight < 1 || c.Lookups < 1:
		return errors.New("--max-in-flight and --lookups: must be at least 1")
	case c.Pay != "" && c.Admin == "":
		return errors.New("--pay: give --admin too, to see what becomes of the orders")
	case c.Settle < 0 || c.Settle > 0 && c.Admin == "":
		return errors.New("--settle: must not be negative, and needs --admin")
	case c.Timeout <= 0 || c.Within <= 0:
		return errors.New("--timeout and --within: must be more than 0")
	}
	return chance.Check(chance.Share{Flag: "--tolerate", Of: c.Tolerate})
}

// settle is how long to wait for orders that are held.
func (c *launchCommand) settle() time.Duration {
	if c.Pay != "" && c.Settle == 0 {
		return 2 * time.Minute
	}
	return c.Settle
}

// Run rehearses a launch and prints the verdict.
func (c *launchCommand) Run(ctx context.Context, env *environment) error {
	admin, before, err := c.sale(ctx, c.Lookups)
	if err != nil {
		return err
	}
	if admin != nil {
		defer admin.Client.CloseIdleConnections()
	}
	plan, err := c.plan(before, time.Now())
	if err != nil {
		return err
	}
	return c.rehearse(ctx, env, admin, before, plan)
}

func (c *launchCommand) rehearse(ctx context.Context, env *environment, admin *launch.Admin, before *launch.SaleView,
	plan *launch.Plan,
) error {
	fmt.Fprintf(env.err, "%d orders in %d requests over %s, to %s\n", plan.Orders(), plan.Requests(),
		plan.Shape().Duration().Round(time.Millisecond), strings.Join(c.Target, ", "))
	run := launch.Run{
		Plan: plan, NewConnections: c.NewConnections, Timeout: c.Timeout, MaxWorkers: c.MaxInFlight,
		MaxDelay: c.maxDelay, Noun: c.noun,
	}
	if c.CA != "" {
		var err error
		if run.CA, err = cmdline.ReadAuthorities("ca", c.CA); err != nil {
			return err
		}
	}
	if err := c.ready(ctx, &run, before); err != nil {
		return err
	}
	if err := c.await(ctx, env, before, plan); err != nil {
		return err
	}
	progress := newMeter(env.err)
	defer progress.end()
	if err := run.Attack(ctx, func(p launch.Progress) { progress.tell("sending", p.String()) }); err != nil {
		return err
	}
	judging := context.WithoutCancel(ctx) // a run that was cut short is judged too
	found, err := run.Verdict(judging, launch.Judge{
		Admin: admin, Before: before, Within: c.Within, Tolerate: c.Tolerate, Workers: c.Lookups, Settle: c.settle(),
		Tell: progress.tell,
	})
	if err != nil {
		return err
	}
	progress.end()
	report := run.Report(found)
	err = errors.Join(writeFile(c.JSON, report.WriteJSON), writeFile(c.HTML, report.WriteHTML),
		report.WriteText(env.out))
	if err != nil {
		return err
	}
	if !report.Pass {
		return errFailed
	}
	return nil
}

// ready looks, before anything is sent, whether what the run needs is there.
func (c *launchCommand) ready(ctx context.Context, run *launch.Run, before *launch.SaleView) (err error) {
	if c.Pay != "" {
		run.Simulator = &launch.Simulator{URL: c.Pay, Client: &http.Client{Timeout: time.Minute}}
		if err := run.Simulator.Check(ctx); err != nil {
			return fmt.Errorf("--pay %s: is flashgate-loadtest portone-sim running there? Nothing was sent: %w", c.Pay,
				err)
		}
	}
	if before == nil { // else the admin API has told
		if err := run.Probe(ctx); err != nil {
			return err
		}
	}
	if c.Shop != "" {
		if run.Shop, err = c.shop(ctx, before); err != nil {
			return fmt.Errorf("--shop %s: nothing was sent: %w", c.Shop, err)
		}
	}
	return nil
}

// shop is the one that the sale asks.
func (c *launchCommand) shop(ctx context.Context, sale *launch.SaleView) (*launch.Shop, error) {
	if sale != nil && sale.Settings.Ask == "" {
		return nil, fmt.Errorf("sale %s asks no shop: give it ask: %s/ask, and apply that", c.Sale,
			strings.TrimSuffix(c.Shop, "/"))
	}
	shop := &launch.Shop{URL: c.Shop, Client: &http.Client{Timeout: time.Minute}}
	if err := shop.Begin(ctx); err != nil {
		return nil, fmt.Errorf("is flashgate-loadtest portone-sim --shop listening there? %w", err)
	}
	return shop, nil
}

// await waits until the run has to begin for the sale to open in it where the
// shape has its peak. Of a sale that is open already nothing is waited for.
func (c *launchCommand) await(ctx context.Context, env *environment, sale *launch.SaleView, plan *launch.Plan) error {
	if sale == nil {
		return nil
	}
	wait := time.Until(sale.Settings.OpensAt.Add(-plan.Shape().Opening()))
	if wait <= 0 {
		return nil
	}
	fmt.Fprintf(env.err, "sale %s opens at %s: the first request goes out in %s\n", c.Sale,
		sale.Settings.OpensAt.Local().Format(time.RFC3339), wait.Round(time.Second))
	gate.Pause(ctx, wait)
	return ctx.Err()
}

// writeFile writes a file, where one is named.
func writeFile(path string, write func(io.Writer) error) (err error) {
	if path == "" {
		return nil
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return write(file)
}
