package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/web"
)

type serveCommand struct {
	Listen string `default:":8080" placeholder:"ADDR" help:"Where PortOne's calls come in (${default})."`
	adminFlag
	Redis string `placeholder:"URL" secret:"password" help:"Redis with the sales: ${addresses}. Or embedded: a store in memory that ends with the gate. Without the flag the store is embedded too, for a demo: then settings of a real gate, such as a signing key, are refused."`
	redisAccess
	Sales string `placeholder:"FILE" help:"YAML file of sales that should exist. A gate creates those that Redis has nothing of, as long as their window has not begun; existing sales stay as they are (see apply)."`
	keysFlag
	webhookFlag
	portoneFlag
	notifyFlag
	sourcesFlag
	AllowOrigin   []string      `placeholder:"ORIGIN" help:"Whose pages may read /sales/SALE in browsers, with commas between, such as https://shop.example.com; * for everybody's. Off by default: only pages of the gate's own host, if a proxy puts some there."`
	AllowUnsigned bool          `help:"Take confirm links that nobody signed. A buyer can change what such a link buys. Needed with --redis if there is no signing key."`
	Name          string        `placeholder:"NAME" help:"This gate's name in the ledger (the host's)."`
	Language      string        `enum:"ko,en" default:"ko" help:"Language of the sentences that buyers see: ko or en (${default})."`
	RedisTimeout  time.Duration `default:"${redis_timeout}" help:"Bound of one call to Redis (${default}); a call is repeated once."`
	WaitReplicas  int           `placeholder:"N" help:"Answer 200 only when N replicas have the hold, so that a failover forgets none; the same for changes through the admin API. Recommended: 1."`
	WaitTimeout   time.Duration `default:"${wait_timeout}" help:"How long to wait for replicas. If they do not have a hold in time, the answer is not_durable; for a change by the API it is 504 (${default})."`
	Queue         int           `default:"16384" help:"Confirms that may wait in one sale's queue; more are refused as busy (${default})."`
	NoMirror      bool          `help:"Keep no copies of the sales in this gate, and ask Redis for every confirm: slower when a sale is sold out."`
	DrainWait     time.Duration `default:"5s" help:"After SIGTERM: how long to go on answering while load balancers notice (${default})."`
	RefusalLog    string        `placeholder:"FILE" help:"Append each refusal to this file as a line of JSON. Off by default; - is standard output."`
	LogFormat     string        `enum:"text,json" default:"text" help:"text or json (${default})."`
	LogLevel      slog.Level    `default:"info" help:"debug, info, warn or error (${default})."`
}

// Run serves until ctx is done, then drains. On SIGHUP it reads files anew.
func (c *serveCommand) Run(ctx context.Context, env *environment) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	return c.serve(ctx, env, hangup, func(net.Addr, net.Addr) {})
}

// serve tells started the public and the admin address once it serves. With each
// hangup it reads files anew.
func (c *serveCommand) serve(ctx context.Context, env *environment, hangup <-chan os.Signal,
	started func(public, admin net.Addr),
) error {
	return newParts(c, env).serve(ctx, hangup, started)
}

// Validate checks the flags, together where they depend on each other. It changes none.
func (c *serveCommand) Validate() error {
	switch {
	case c.AllowUnsigned && c.keysFlag.given():
		return errors.New("--allow-unsigned with a signing key: with a key every link must be signed, so leave " +
			"one of them out")
	case !c.keysFlag.given() && !c.unsigned():
		return errors.New("without a signing key a buyer can change what a confirm link buys: " +
			"set FLASHGATE_SIGNING_KEY (ID:BASE64, from openssl rand -base64 32) or --signing-key-file, " +
			"or say --allow-unsigned for a rehearsal")
	case c.WaitReplicas < 0:
		return fmt.Errorf("--wait-replicas %d: must be 0 (do not wait) or more", c.WaitReplicas)
	case c.WaitReplicas > 0 && c.embedded():
		return errors.New("--wait-replicas: the embedded store has no replicas; give --redis")
	case c.redisAccess.given() && c.embedded():
		return errors.New("--redis-password-file, --redis-ca, --redis-cert and --redis-key: the embedded store has " +
			"no TLS and no password; give --redis")
	case c.RedisTimeout < 10*time.Millisecond || c.WaitReplicas > 0 && c.WaitTimeout < 10*time.Millisecond:
		return errors.New("--redis-timeout and --wait-timeout: must be at least 10ms")
	case c.RedisTimeout+c.wait() > lane.MaxCallTimeout:
		return fmt.Errorf("--redis-timeout %s with --wait-timeout %s: together at most %s, so that every answer "+
			"comes within %s",
			c.RedisTimeout, c.wait(), lane.MaxCallTimeout.Truncate(time.Millisecond), lane.AnswerBudget)
	case c.Queue < 1 || c.Queue > 1<<20:
		return fmt.Errorf("--queue %d: must be between 1 and %d", c.Queue, 1<<20)
	case c.DrainWait < 0 || c.DrainWait > time.Hour:
		return fmt.Errorf("--drain-wait %s: must be between 0s and 1h", c.DrainWait)
	}
	if err := errors.Join(c.validate(), c.check()); err != nil {
		return err
	}
	if _, err := c.sources(); err != nil {
		return err
	}
	if _, err := c.origins(); err != nil {
		return err
	}
	if name := c.name(); !gate.ValidID(name) {
		return fmt.Errorf("--name %q: %s", name, gate.WantID)
	}
	if setting := c.real(); setting != "" && c.Redis == "" {
		return fmt.Errorf("%s is of a gate that sells, and there is no --redis: give --redis URL (FLASHGATE_REDIS), "+
			"or say --redis embedded for a store in memory, of which nothing is left when the gate ends", setting)
	}
	return nil
}

// name is the gate's in the ledger: the host's where none is given, and none where that
// is not known.
func (c *serveCommand) name() string {
	if c.Name != "" {
		return c.Name
	}
	host, _ := os.Hostname()
	return host
}

// unsigned reports whether links are taken that nobody signed: where there is no
// key and that was said, or the sale is only a demo.
func (c *serveCommand) unsigned() bool {
	return !c.keysFlag.given() && (c.AllowUnsigned || c.embedded())
}

// origins checks --allow-origin and returns what it says.
func (c *serveCommand) origins() (web.Origins, error) {
	origins, err := web.ParseOrigins(c.AllowOrigin)
	if err != nil {
		return web.Origins{}, fmt.Errorf("--allow-origin: %w", err)
	}
	return origins, nil
}

func (c *serveCommand) wait() time.Duration {
	if c.WaitReplicas == 0 {
		return 0
	}
	return c.WaitTimeout
}
