package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/loadtest/chance"
	"github.com/flashgate/flashgate/loadtest/launch"
)

type loadtestCommand struct {
	What string `arg:"" optional:"" default:"run" enum:"run,targets" help:"run sends the requests, checks every answer and audits afterwards; targets writes them to stdout, signed as of now, in the JSON format of vegeta attack (${default})."`
	launchFlags
	NewConnections bool          `help:"A new connection for each request, as from a proxy that keeps none."`
	MaxInFlight    int           `default:"20000" placeholder:"N" help:"Requests that may wait for their answer at once; what is due beyond that is late (${default})."`
	Timeout        time.Duration `default:"10s" help:"How long an answer is waited for (${default}, as PortOne does)."`
	Within         time.Duration `default:"5s" help:"An answer after this is none: PortOne's shorter time-out (${default})."`
	CA             string        `name:"ca" placeholder:"FILE" help:"PEM file of who signed the target's certificate, where the system does not know them."`
	Tolerate       float64       `placeholder:"SHARE" help:"Share of the requests that may go without an answer in time, such as while a gate is killed."`
	Pay            string        `placeholder:"URL" help:"A simulated PortOne (flashgate portone-sim) that pays what was told 200, or declines it; the gates' look-ups must go there too. Needs --admin."`
	Shop           string        `placeholder:"URL" help:"The stand-in for the shop that the sale asks (flashgate portone-sim --shop), such as http://127.0.0.1:8082: what orders were told is checked against its log."`
	Settle         time.Duration `placeholder:"TIME" help:"How long to wait after the run until no order is held any more; without it 2m with --pay, and not at all otherwise."`
	Lookups        int           `default:"32" placeholder:"N" help:"Orders looked up at once in the audit (${default})."`
	JSON           string        `name:"json" placeholder:"FILE" help:"Write the report as JSON."`
	HTML           string        `name:"html" placeholder:"FILE" help:"Write the report as one page that needs no network."`

	maxDelay time.Duration // launch.Run.MaxDelay
	noun     string        // launch.Run.Noun
}

// launchFlags say what is sent.
type launchFlags struct {
	keysFlag
	Target            []string            `required:"" placeholder:"URL,…" help:"The load balancer in front of the gates, or the gates, in turn, such as http://127.0.0.1:8080."`
	Sale              string              `required:"" placeholder:"SALE" help:"The sale's name. Better a rehearsal's run than the real one: what is sent is bought."`
	Items             []string            `placeholder:"SKU[:WEIGHT],…" help:"What buyers want, and how many of them; without it all of the sale's SKUs by their stock, as the admin API has them."`
	Amount            int64               `default:"1000" placeholder:"N" help:"What a unit costs, where no price is known by the admin API (${default})."`
	Shape             string              `default:"launch" enum:"launch,steady,ramp" help:"launch: a trickle for the first quarter, the peak when the sale opens, a tail; steady; or ramp (${default})."`
	Rate              float64             `default:"1000" placeholder:"N" help:"Requests a second at the peak (${default})."`
	Duration          time.Duration       `placeholder:"TIME" help:"How long to send; 10s where --demand is not given either."`
	Demand            int                 `placeholder:"N" help:"Orders to send, instead of --duration."`
	Buyers            int                 `placeholder:"N" help:"How many people the buyers are; without it each order has its own."`
	Carts             float64             `placeholder:"SHARE" help:"Share of the orders that buy two lines, from 0 to 1."`
	Duplicates        float64             `default:"0.1" placeholder:"SHARE" help:"Share of the orders that are sent again, at once or later (${default})."`
	Hostile           float64             `placeholder:"SHARE" help:"Share of the requests that PortOne would not send: broken bodies, unknown sales and SKUs, forged and stolen links."`
	Bodies            []string            `default:"v1" enum:"v1,v1-form,v2-2024-01-01,v2-2024-04-25" help:"PortOne's calls to send: v1, v1-form, v2-2024-01-01, v2-2024-04-25 (${default})."`
	WebhookSecret     *string             `hidden:"" secret:"value"`
	WebhookSecretFile *cmdline.SecretFile `placeholder:"FILE" help:"File with the secret (whsec_…) that signs V2's calls, as PortOne does. Or the secret itself in FLASHGATE_WEBHOOK_SECRET."`
	Expires           time.Duration       `default:"30m" help:"How long signed links serve (${default})."`
	Seed              uint64              `default:"1" placeholder:"N" help:"The same number draws the same buyers (${default})."`
	Prefix            string              `placeholder:"TEXT" help:"What order ids begin with; without it the time, so that each run has orders of its own."`
	Admin             string              `placeholder:"URL" help:"The admin API of a gate, to audit afterwards, such as http://127.0.0.1:9090."`
	AdminToken        *string             `hidden:"" secret:"value"`
	AdminTokenFile    *cmdline.SecretFile `placeholder:"FILE" help:"File with its bearer token, as TOKEN or NAME:TOKEN. Or the token itself in FLASHGATE_ADMIN_TOKEN."`
}

// admin returns nil where none is given.
func (f *launchFlags) admin(connections int) (*launch.Admin, error) {
	if f.Admin == "" {
		return nil, nil
	}
	token, err := firstSecret("admin-token", f.AdminToken, f.AdminTokenFile)
	if err != nil {
		return nil, err
	}
	if _, secret, named := strings.Cut(token, ":"); named {
		token = secret
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = connections
	return &launch.Admin{URL: f.Admin, Token: token, Client: &http.Client{Transport: transport, Timeout: 2 * time.Minute}}, nil
}

// firstSecret returns the first of the secrets in a variable or a file; empty where
// neither is given.
func firstSecret(flag string, value *string, file *cmdline.SecretFile) (string, error) {
	text, err := cmdline.SecretText(flag, value, file)
	if err != nil || text == nil {
		return "", err
	}
	return gate.Items(*text)[0], nil
}

// plan draws the requests. The sale is as the admin API shows it, or nil.
func (f *launchFlags) plan(sale *launch.SaleView, now time.Time) (*launch.Plan, error) {
	keys, err := f.keys()
	if err != nil {
		return nil, err
	}
	options := launch.Options{
		Targets: f.Target, Sale: f.Sale, Shape: f.Shape, Rate: f.Rate, Duration: f.Duration, Demand: f.Demand,
		Buyers: f.Buyers, Carts: f.Carts, Duplicates: f.Duplicates, Hostile: f.Hostile, Bodies: f.Bodies,
		Keys: keys, Expires: f.Expires, Seed: f.Seed, Prefix: f.Prefix,
	}
	if f.Duration == 0 && f.Demand == 0 {
		options.Duration = 10 * time.Second
	}
	if options.WebhookSecret, err = firstSecret("webhook-secret", f.WebhookSecret, f.WebhookSecretFile); err != nil {
		return nil, err
	}
	if f.Prefix == "" {
		options.Prefix = "LT" + strings.ToUpper(strconv.FormatInt(now.UnixMilli(), 36))
	}
	if options.Items, err = f.items(sale); err != nil {
		return nil, err
	}
	return launch.NewPlan(options)
}

func (f *launchFlags) items(sale *launch.SaleView) (items []launch.Item, err error) {
	prices := map[string]int64{}
	if sale != nil {
		for _, sku := range sale.Settings.SKUs {
			prices[sku.Name] = f.Amount
			if sku.Price != nil {
				prices[sku.Name] = *sku.Price
			}
			items = append(items, launch.Item{SKU: sku.Name, Weight: max(1, sku.Stock), Price: prices[sku.Name]})
		}
	}
	if len(f.Items) == 0 {
		return items, nil
	}
	items = nil
	for _, text := range f.Items {
		name, weight, weighted := strings.Cut(text, ":")
		item := launch.Item{SKU: name, Weight: 1, Price: f.Amount}
		price, known := prices[name]
		switch {
		case known:
			item.Price = price
		case sale != nil:
			return nil, fmt.Errorf("--items %s: sale %s has no such SKU: %s", text, f.Sale, gate.DidYouMean(name, slices.Sorted(maps.Keys(prices))))
		}
		if weighted {
			if item.Weight, err = strconv.ParseInt(weight, 10, 32); err != nil {
				return nil, fmt.Errorf("--items %s: the weight must be a whole number", text)
			}
		}
		items = append(items, item)
	}
	return items, nil
}

// errFailed says that a rehearsal went wrong; its report says how.
var errFailed = errors.New("the rehearsal failed: see the checks above")

// Validate checks the flags together.
func (c *loadtestCommand) Validate() error {
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
	if err := chance.Check(chance.Share{Flag: "--tolerate", Of: c.Tolerate}); err != nil {
		return err
	}
	if c.Pay != "" && c.Settle == 0 {
		c.Settle = 2 * time.Minute
	}
	return nil
}

// Run rehearses a launch and prints the verdict, or writes the requests.
func (c *loadtestCommand) Run(ctx context.Context, env *environment) error {
	admin, err := c.admin(c.Lookups)
	if err != nil {
		return err
	}
	var before *launch.SaleView
	if admin != nil {
		defer admin.Client.CloseIdleConnections()
		if before, err = admin.Sale(ctx, c.Sale); err != nil {
			return err
		}
	}
	now := time.Now()
	plan, err := c.plan(before, now)
	if err != nil {
		return err
	}
	if c.What == "targets" {
		out := bufio.NewWriter(env.out)
		return errors.Join(plan.WriteTargets(out, now), out.Flush())
	}
	return c.rehearse(ctx, env, admin, before, plan)
}

func (c *loadtestCommand) rehearse(ctx context.Context, env *environment, admin *launch.Admin, before *launch.SaleView, plan *launch.Plan) error {
	fmt.Fprintf(env.err, "%d orders in %d requests over %s, to %s\n", plan.Orders(), plan.Requests(), plan.Shape().Duration().Round(time.Millisecond), strings.Join(c.Target, ", "))
	run := launch.Run{
		Plan: plan, NewConnections: c.NewConnections, Timeout: c.Timeout, MaxWorkers: c.MaxInFlight, MaxDelay: c.maxDelay, Noun: c.noun,
	}
	if c.CA != "" {
		var err error
		if run.CA, err = readAuthorities("ca", c.CA); err != nil {
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
		Admin: admin, Before: before, Within: c.Within, Tolerate: c.Tolerate, Workers: c.Lookups, Settle: c.Settle, Tell: progress.tell,
	})
	if err != nil {
		return err
	}
	progress.end()
	report := run.Report(found)
	if err := errors.Join(writeFile(c.JSON, report.WriteJSON), writeFile(c.HTML, report.WriteHTML), report.WriteText(env.out)); err != nil {
		return err
	}
	if !report.Pass {
		return errFailed
	}
	return nil
}

// ready looks, before anything is sent, whether what the run needs is there.
func (c *loadtestCommand) ready(ctx context.Context, run *launch.Run, before *launch.SaleView) (err error) {
	if c.Pay != "" {
		run.Simulator = &launch.Simulator{URL: c.Pay, Client: &http.Client{Timeout: time.Minute}}
		if err := run.Simulator.Check(ctx); err != nil {
			return fmt.Errorf("--pay %s: is flashgate portone-sim running there? Nothing was sent: %w", c.Pay, err)
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
func (c *loadtestCommand) shop(ctx context.Context, sale *launch.SaleView) (*launch.Shop, error) {
	if sale != nil && sale.Settings.Ask == "" {
		return nil, fmt.Errorf("sale %s asks no shop: give it ask: %s/ask, and apply that", c.Sale, strings.TrimSuffix(c.Shop, "/"))
	}
	shop := &launch.Shop{URL: c.Shop, Client: &http.Client{Timeout: time.Minute}}
	if err := shop.Begin(ctx); err != nil {
		return nil, fmt.Errorf("is flashgate portone-sim --shop listening there? %w", err)
	}
	return shop, nil
}

// await waits until the run has to begin for the sale to open in it where the
// shape has its peak. Of a sale that is open already nothing is waited for.
func (c *loadtestCommand) await(ctx context.Context, env *environment, sale *launch.SaleView, plan *launch.Plan) error {
	if sale == nil {
		return nil
	}
	wait := time.Until(sale.Settings.OpensAt.Add(-plan.Shape().Opening()))
	if wait <= 0 {
		return nil
	}
	fmt.Fprintf(env.err, "sale %s opens at %s: the first request goes out in %s\n", c.Sale, sale.Settings.OpensAt.Local().Format(time.RFC3339), wait.Round(time.Second))
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
