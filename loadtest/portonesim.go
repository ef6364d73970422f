package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/web"
	"github.com/flashgate/flashgate/loadtest/portonesim"
	"github.com/flashgate/flashgate/loadtest/standin"
)

// portoneSimCommand has environment variables of its own where serve has flags
// of the same name: a rehearsal must not take up what is meant for production.
type portoneSimCommand struct {
	Listen         string        `default:"127.0.0.1:8081" env:"FLASHGATE_SIM_LISTEN" placeholder:"ADDR" help:"Where the REST APIs and /sim/ are (${default})."`
	V1Key          string        `name:"v1-key" default:"sim-key" env:"FLASHGATE_SIM_V1_KEY" placeholder:"KEY" help:"imp_key that V1's REST API takes (${default})."`
	V1Secret       string        `name:"v1-secret" default:"sim-secret-for-tests-only" env:"FLASHGATE_SIM_V1_SECRET" placeholder:"SECRET" help:"imp_secret that V1's REST API takes (${default})."`
	V2Secret       string        `name:"v2-secret" default:"sim-v2-secret-for-tests-only" env:"FLASHGATE_SIM_V2_SECRET" placeholder:"SECRET" help:"API secret that V2's REST API takes (${default})."`
	WebhookSecret  string        `name:"v2-webhook-secret" default:"whsec_Zm9yIHRlc3RzIG9ubHksIG5vIHNlY3JldCBhdCBhbGw=" env:"FLASHGATE_SIM_V2_WEBHOOK_SECRET" placeholder:"whsec_…" help:"Signs V2's confirm calls and webhooks (${default})."`
	Seed           uint64        `default:"1" placeholder:"N" help:"What goes wrong is drawn from this number and the order's id (${default})."`
	ConfirmTimeout time.Duration `default:"10s" help:"How long a confirm call may take (${default})."`

	portonesim.Plan
	LogLevel slog.Level `default:"info" env:"FLASHGATE_SIM_LOG_LEVEL" help:"debug, info, warn or error (${default})."`

	standinFlags
}

func (c *portoneSimCommand) options() portonesim.Options {
	return portonesim.Options{
		V1Key: c.V1Key, V1Secret: c.V1Secret, V2Secret: c.V2Secret, WebhookSecret: c.WebhookSecret,
		Seed: c.Seed, ConfirmTimeout: c.ConfirmTimeout, Plan: c.Plan,
	}
}

// Validate checks the flags together.
func (c *portoneSimCommand) Validate() error {
	if c.ConfirmTimeout <= 0 {
		return fmt.Errorf("--confirm-timeout %s: must be more than 0", c.ConfirmTimeout)
	}
	return errors.Join(c.options().Check(), c.validate())
}

// Run simulates PortOne until ctx is done, then sends the webhooks that are left.
func (c *portoneSimCommand) Run(ctx context.Context, env *environment) error {
	return c.simulate(ctx, env, func(at simulated) {
		fmt.Fprint(env.out, c.hint(at.portone))
		if at.shop != nil {
			fmt.Fprint(env.out, c.standinFlags.hint(at.shop))
		}
	})
}

// simulated is where PortOne and the shop are simulated; shop is nil where it is not.
type simulated struct{ portone, shop net.Addr }

// simulate tells started its addresses once it serves.
func (c *portoneSimCommand) simulate(ctx context.Context, env *environment, started func(simulated)) error {
	log := cmdline.NewLog(env.err, "text", c.LogLevel)
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer ln.Close()
	if !cmdline.Loopback(c.Listen) {
		log.Warn("whoever reaches this address can make it call any URL", "listen", c.Listen)
	}
	sim := portonesim.New(portonesim.Deps{Explain: gate.BodyError, Log: log}, c.options())
	defer sim.Close()
	at := simulated{portone: ln.Addr()}
	group, running := errgroup.WithContext(ctx)
	if c.Shop != "" {
		shop, err := net.Listen("tcp", c.Shop)
		if err != nil {
			return fmt.Errorf("--shop: %w", err)
		}
		at.shop = shop.Addr()
		group.Go(func() error {
			return serveSimulated(running, shop, standin.New(time.Now, c.standinFlags.options(c.Seed)).Handler())
		})
	}
	group.Go(func() error { return serveSimulated(running, ln, sim.Handler()) })
	started(at)
	return group.Wait()
}

// serveSimulated serves until ctx is done. What is under way then is told so, and
// not waited for.
func serveSimulated(ctx context.Context, ln net.Listener, handler http.Handler) error {
	calls, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return calls },
	}
	context.AfterFunc(ctx, leave)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(web.Patient(ln, nil)) }()
	select {
	case err := <-failed:
		return fmt.Errorf("the listener failed: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // what is left are connections that nobody has used yet
	}
	<-failed
	return err
}

// hint says what to set in the gate, and how to make a payment.
func (c *portoneSimCommand) hint(addr net.Addr) string {
	base := "http://" + cmdline.Reachable(addr)
	return fmt.Sprintf(`PortOne is simulated at %[1]s. For the gate:

  export FLASHGATE_REDIS=embedded   # or the address of a Redis
  export FLASHGATE_PORTONE_V1_URL=%[1]s FLASHGATE_PORTONE_V1_KEY=%[2]s FLASHGATE_PORTONE_V1_SECRET=%[3]s
  export FLASHGATE_PORTONE_V2_URL=%[1]s FLASHGATE_PORTONE_V2_SECRET=%[4]s FLASHGATE_PORTONE_V2_STORE=%[6]s
  export FLASHGATE_WEBHOOK_SECRET=%[5]s   # V2's calls must then be signed; V1's, which are not, need accept: [v1, v2] in the sale, as the demo sale has it

A payment, which asks a gate on :8080 with its demo sale:

  curl -s %[1]s/sim/pay -d '{"id":"order_1","amount":1000,"confirmUrl":"http://127.0.0.1:8080/confirm/demo?items=ticket&buyer=alice","noticeUrl":"http://127.0.0.1:8080/webhook"}'

What has happened: curl -s %[1]s/sim/payments
Money back:        curl -s %[1]s/sim/cancel -d '{"order":"order_1"}'

`, base, c.V1Key, c.V1Secret, c.V2Secret, c.WebhookSecret, portonesim.StoreID)
}
