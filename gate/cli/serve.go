package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/settle"
	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/store"
	"github.com/flashgate/flashgate/gate/web"
)

type serveCommand struct {
	Listen string `default:":8080" placeholder:"ADDR" help:"Where PortOne's calls come in (${default})."`
	adminFlag
	Redis string `placeholder:"URL" help:"Redis with the sales: ${addresses}. Or embedded, a store in memory that ends with the gate; also without the flag, but then only for a demo, without any setting of a real gate."`
	redisTLS
	Sales string `placeholder:"FILE" help:"YAML file of sales: those that Redis knows no run of are created while their window has not begun, those that exist are left as they are (see apply)."`
	keysFlag
	webhookFlag
	portoneFlag
	notifyFlag
	sourcesFlag
	AllowUnsigned bool          `help:"Take confirm links that nobody signed, so that a buyer can change them. Needed with --redis where there is no signing key."`
	Name          string        `placeholder:"NAME" help:"This gate's name in the ledger (the host's)."`
	Language      string        `enum:"ko,en" default:"ko" help:"Language of the sentences that buyers see: ko or en (${default})."`
	RedisTimeout  time.Duration `default:"500ms" help:"Bound of one call to Redis (${default}); a call is repeated once."`
	WaitReplicas  int           `placeholder:"N" help:"Answer 200 only when N replicas have the hold, so that a failover forgets none; the same for changes through the admin API. Recommended: 1."`
	WaitTimeout   time.Duration `default:"300ms" help:"How long the replicas get; a 200 that they do not have in time becomes not_durable, a change 504 (${default})."`
	Queue         int           `default:"16384" help:"Confirms that may wait in one sale's queue; more are refused as busy (${default})."`
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
func (c *serveCommand) serve(ctx context.Context, env *environment, hangup <-chan os.Signal, started func(public, admin net.Addr)) error {
	log := newLog(env.err, c.LogFormat, c.LogLevel)
	keys, err := c.keys()
	if err != nil {
		return err
	}
	secrets, err := c.secrets()
	if err != nil {
		return err
	}
	notifySecrets, err := c.notifySecrets()
	if err != nil {
		return err
	}
	sources, err := c.sources()
	if err != nil {
		return err
	}
	tokens, err := c.tokens()
	if err != nil {
		return err
	}
	verify := keys
	if c.unsigned() {
		verify = gate.Unsigned()
		log.Warn("confirm links are not signed: whoever reaches this gate can make one")
	}
	if c.TestPayments {
		log.Warn("payments of test channels count, and they move no money: not for a real sale (--test-payments)")
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(env.version))
	payments, err := c.client(registry, log)
	if err != nil {
		return err
	}

	s, closeStore, err := c.openStore(ctx, registry, log)
	if err != nil {
		return err
	}
	defer closeStore()
	sales, demo, err := c.sales()
	if err != nil {
		return err
	}
	if err := c.createSales(ctx, s, sales, log); err != nil {
		return err
	}
	answers, err := portone.NewAnswers(c.Language)
	if err != nil {
		return fmt.Errorf("--language: %w", err)
	}
	metrics := web.NewMetrics(registry)
	refusals, refusalFile, err := c.openRefusalLog(env, metrics, log)
	if err != nil {
		return err
	}
	defer refusalFile.Close()
	g := gate.New(s, gate.NewMetrics(registry), gate.Options{Keys: verify, Queue: c.Queue, Try: c.RedisTimeout + c.wait(), Expected: sales, Now: time.Now, Log: log})
	shopMetrics := shop.NewMetrics(registry)
	forwarder := c.forwarder(shopMetrics)
	files := openFiles()
	mostPublic, mostAdmin := shareFiles(files)
	public := web.NewPublic(g, answers, metrics, web.PublicOptions{
		Secrets: secrets, Lookups: payments.Lookups(), Sources: sources, Most: mostPublic, MostPerAddress: c.MaxConnectionsPerAddress, Refusals: refusals, Orders: s,
		Forward: forwarder, Log: log,
	})
	adminTLS, err := c.tls(registry)
	if err != nil {
		return err
	}
	admin := web.NewAdmin(web.AdminOptions{
		Registry: registry, Public: public, Sales: s, Settling: s, ParseSale: parseSale,
		Audit: func(ctx context.Context, sale string) (any, error) {
			return runAudit(ctx, s, payments, sale, func(string, int64) {})
		},
		Tokens: tokens, Keys: keys, BaseURL: c.PublicURL, TLS: adminTLS, Most: mostAdmin,
		Now: time.Now, Log: log,
	})

	publicListener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	adminListener, err := net.Listen("tcp", c.AdminListen)
	if err != nil {
		return errors.Join(fmt.Errorf("--admin-listen: %w", err), publicListener.Close())
	}
	if !loopback(c.AdminListen) && c.AdminTLSCert == "" {
		log.Warn("the admin listener is not encrypted: tokens can be read on the way; see --admin-tls-cert", "admin", c.AdminListen)
	}
	tellFiles(log, files, mostPublic, mostAdmin)
	log.Info("serving", "version", env.version, "listen", publicListener.Addr().String(), "admin", adminListener.Addr().String())
	if demo {
		fmt.Fprint(env.out, demoHint(publicListener.Addr(), keys))
	}
	settling := settle.Options{
		Who: c.Name, Store: s, Sales: g.Sales, Currency: c.Currency, Test: c.TestPayments, Grace: c.Grace, MinLook: c.FirstLook / 2,
		Metrics: settle.NewMetrics(registry), Now: time.Now, Log: log,
	}
	if payments != nil {
		settling.Payments = payments
	} else {
		log.Warn("without credentials of PortOne nobody looks up how payments end: units stay held until the shop reports each order")
	}
	notifier := shop.NewNotifier(shop.NotifierOptions{
		Store: s, Sales: g.Sales, Secrets: notifySecrets, Metrics: shopMetrics, Now: time.Now, Log: log,
	})
	started(publicListener.Addr(), adminListener.Addr())
	w := &workers{
		gate: g, settler: settle.New(settling), notifier: notifier, forwarder: forwarder, public: public, admin: admin,
		watcher:  &watcher{sales: g.Sales, untaken: secrets.Untaken(payments.Lookups()), follow: newFollowing(s.Following, c.WaitReplicas, registry, log), log: log},
		refusals: refusals, drainWait: c.DrainWait, log: log,
	}
	reload := &reloader{log: log, items: c.reloadables(&values{
		keys: keys, secrets: secrets, notify: notifySecrets, tokens: tokens, store: s, refusals: refusalFile,
	})}
	reloadCtx, stopReload := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	reloading.Go(func() { reload.run(reloadCtx, hangup) })
	defer reloading.Wait()
	defer stopReload()
	return w.run(ctx, publicListener, adminListener)
}

// Validate checks the flags, together where they depend on each other.
func (c *serveCommand) Validate() error {
	switch {
	case c.AllowUnsigned && c.keysFlag.given():
		return errors.New("--allow-unsigned with a signing key: with a key every link must be signed, so leave one of them out")
	case !c.keysFlag.given() && !c.unsigned():
		return errors.New("without a signing key a buyer can change what a confirm link buys: " +
			"set FLASHGATE_SIGNING_KEY (ID:BASE64, from openssl rand -base64 32) or --signing-key-file, " +
			"or say --allow-unsigned for a rehearsal")
	case c.WaitReplicas < 0:
		return fmt.Errorf("--wait-replicas %d: must be 0 (do not wait) or more", c.WaitReplicas)
	case c.WaitReplicas > 0 && c.embedded():
		return errors.New("--wait-replicas: the embedded store has no replicas; give --redis")
	case c.redisTLS.given() && c.embedded():
		return errors.New("--redis-ca, --redis-cert and --redis-key: the embedded store has no TLS; give --redis")
	case c.RedisTimeout < 10*time.Millisecond || c.WaitReplicas > 0 && c.WaitTimeout < 10*time.Millisecond:
		return errors.New("--redis-timeout and --wait-timeout: must be at least 10ms")
	case c.RedisTimeout+c.wait() > gate.MaxTry:
		return fmt.Errorf("--redis-timeout %s with --wait-timeout %s: together at most %s, so that every answer comes within %s",
			c.RedisTimeout, c.wait(), gate.MaxTry.Truncate(time.Millisecond), gate.AnswerBudget)
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
	if c.Name == "" {
		c.Name, _ = os.Hostname()
	}
	if !gate.ValidID(c.Name) {
		return fmt.Errorf("--name %q: must be 1 to %d bytes of printable text", c.Name, gate.MaxID)
	}
	if setting := c.real(); setting != "" && c.Redis == "" {
		return fmt.Errorf("%s is of a gate that sells, and there is no --redis: give --redis URL (FLASHGATE_REDIS), "+
			"or say --redis embedded for a store in memory, of which nothing is left when the gate ends", setting)
	}
	return nil
}

// unsigned reports whether links are taken that nobody signed: where there is no
// key and that was said, or the sale is only a demo.
func (c *serveCommand) unsigned() bool {
	return !c.keysFlag.given() && (c.AllowUnsigned || c.embedded())
}

func (c *serveCommand) wait() time.Duration {
	if c.WaitReplicas == 0 {
		return 0
	}
	return c.WaitTimeout
}

// openStore opens the real store or the embedded one, and checks that it can be
// trusted with sales.
func (c *serveCommand) openStore(ctx context.Context, registry *prometheus.Registry, log *slog.Logger) (*store.Store, func(), error) {
	options := store.Options{
		Who: c.Name, Timeout: c.RedisTimeout, WaitReplicas: c.WaitReplicas, WaitTimeout: c.wait(), FirstLook: c.FirstLook,
		Metrics: store.NewMetrics(registry), Log: log,
	}
	if err := c.redisTLS.set(&options); err != nil {
		return nil, nil, err
	}
	url, end := c.Redis, func() {}
	if c.embedded() {
		embedded, err := store.StartEmbedded()
		if err != nil {
			return nil, nil, err
		}
		url, end = embedded.URL(), embedded.Close
		log.Warn("the store is embedded, in memory: for a look and for tests, not for a sale. All of it is gone when this program ends",
			"other commands reach it with", "--redis "+url)
	}
	s, err := store.Open(url, options)
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("--redis: %w", err)
	}
	closeStore := func() {
		if err := s.Close(); err != nil {
			log.Warn("could not close the connections to Redis", "error", err)
		}
		end()
	}
	if !c.embedded() {
		if err := s.Check(ctx); err != nil {
			closeStore()
			return nil, nil, fmt.Errorf("--redis: %w", err)
		}
	}
	return s, closeStore, nil
}

// sales returns the sales that should be there: those of the file, or of a store
// that nothing else can have filled the demo sale.
func (c *serveCommand) sales() (sales []gate.Sale, demo bool, err error) {
	switch {
	case c.Sales != "":
		sales, err = readSales(c.Sales)
	case c.embedded():
		sales, demo = []gate.Sale{demoSale(time.Now())}, true
	}
	return sales, demo, err
}

// createSales creates the sales that may be created, and tells of those that are
// there and not as they should be.
func (c *serveCommand) createSales(ctx context.Context, s *store.Store, sales []gate.Sale, log *slog.Logger) error {
	for _, sale := range sales {
		log.Info("a sale of the file", "sale", sale.Name, "window", standing(sale, time.Now()))
		old, err := c.createSale(ctx, s, sale, log)
		switch {
		case err != nil:
			return fmt.Errorf("create sale %s: %w", sale.Name, err)
		case !old.Deleted.IsZero():
			log.Warn("a sale of the file was deleted and is not brought back: give it a higher run and apply it", "sale", sale.Name, "deleted_in_run", old.Run)
		case old.Run > 0:
			for _, difference := range changes(old.Sale, sale) {
				log.Warn("a sale differs from the file and is left as it is: flashgate apply would change it", "sale", sale.Name, "change", string(difference))
			}
		}
	}
	return nil
}

// createSale creates a sale that Redis knows no run of if its window has not begun,
// by Redis' clock and by this gate's: one that is open may have been sold from
// data that is lost, and the gate says what there is to do. The embedded store
// cannot have lost any. It returns what is there already.
func (c *serveCommand) createSale(ctx context.Context, s *store.Store, sale gate.Sale, log *slog.Logger) (gate.State, error) {
	old, err := s.Sale(ctx, sale.Name)
	if !errors.Is(err, gate.ErrNoSale) {
		return old, err
	}
	embedded, now := c.embedded(), time.Now()
	if now.Before(sale.OpensAt) != old.Now.Before(sale.OpensAt) {
		log.Warn("Redis' clock and this gate's do not agree whether a sale's window has begun: set both by NTP",
			"sale", sale.Name, "opens_at", sale.OpensAt, "redis", old.Now, "gate", now)
	}
	if !embedded && !now.Before(sale.OpensAt) {
		return gate.State{}, nil
	}
	err = s.Create(ctx, gate.Creation{Who: c.Name, Sale: sale, OpenNow: embedded})
	switch {
	case err == nil:
		log.Info("created a sale", "sale", sale.Name, "run", sale.Run)
	case gate.IsUnsecured(err): // it is no reason to sell nothing at all
		log.Warn("created a sale that a failover may forget", "sale", sale.Name, "run", sale.Run, "error", err)
		err = nil
	case errors.Is(err, gate.ErrExists): // another gate was faster
		return s.Sale(ctx, sale.Name)
	case errors.As(err, new(*gate.OpenError)):
		err = nil
	}
	return gate.State{}, err
}

// openRefusalLog opens the refusal log, and the file that it is in where it is in
// one; both are nil where there is none.
func (c *serveCommand) openRefusalLog(env *environment, metrics *web.Metrics, log *slog.Logger) (*web.RefusalLog, *logFile, error) {
	switch c.RefusalLog {
	case "":
		return nil, nil, nil
	case "-":
		return web.NewRefusalLog(env.out, metrics, log), nil, nil
	}
	file, err := openLogFile(c.RefusalLog)
	if err != nil {
		return nil, nil, fmt.Errorf("--refusal-log: %w", err)
	}
	return web.NewRefusalLog(file, metrics, log), file, nil
}

// workers are the parts of serve that run at the same time.
type workers struct {
	gate      *gate.Gate
	settler   *settle.Settler
	notifier  *shop.Notifier
	forwarder *shop.Forwarder // nil where webhooks are not passed on
	public    *web.Public
	admin     *web.Admin
	watcher   *watcher
	refusals  *web.RefusalLog
	drainWait time.Duration
	log       *slog.Logger
}

// run runs them until ctx is done or a listener fails. Then they end in this
// order: not ready, a while of answering all the same, no new connections, the
// last answers, the lanes, the refusal log; the metrics stay to be read.
func (w *workers) run(ctx context.Context, public, admin net.Listener) error {
	failed := make(chan error, 2)
	var serving, forwards, lanes, logging sync.WaitGroup
	forwardCtx, stopForwards := context.WithCancel(context.WithoutCancel(ctx))
	defer stopForwards()
	gateCtx, stopGate := context.WithCancel(context.WithoutCancel(ctx))
	defer stopGate()
	logCtx, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLog()

	lanes.Go(func() { w.gate.Run(gateCtx) })
	lanes.Go(func() { w.settler.Run(gateCtx) })
	lanes.Go(func() { w.notifier.Run(gateCtx) })
	lanes.Go(func() { w.watcher.run(gateCtx) })
	forwards.Go(func() { w.forwarder.Run(forwardCtx) })
	if w.refusals != nil {
		logging.Go(func() { w.refusals.Run(logCtx) })
	}
	serving.Go(func() { failed <- w.public.Serve(public) })
	serving.Go(func() { failed <- w.admin.Serve(admin) })

	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("a listener failed: %w", err)
	case <-ctx.Done():
		w.log.Info("draining: not ready, but still answering; a second signal ends it at once", "wait", w.drainWait.String())
		w.public.Drain()
		timer := time.NewTimer(w.drainWait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case err = <-failed:
		}
	}
	w.public.Drain()
	stopForwards() // webhooks wait for them, and Shutdown for webhooks
	err = errors.Join(err, w.public.Shutdown())
	forwards.Wait()
	stopGate()
	lanes.Wait()
	stopLog()
	logging.Wait()
	stopAdmin, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err = errors.Join(err, w.admin.Shutdown(stopAdmin))
	serving.Wait()
	w.log.Info("ended")
	return err
}

func buildInfo(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flashgate_build_info", Help: "The version that runs; always 1.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
}
