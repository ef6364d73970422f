package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/audit"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/mirror"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/settle"
	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/store"
	"github.com/flashgate/flashgate/gate/web"
)

// parts are what a gate is put together from, in the order in which they are made:
// each step needs those before it, and what is wrong with it is said first.
type parts struct {
	flags    *serveCommand
	env      *environment
	log      *slog.Logger
	registry *prometheus.Registry

	keys    *gate.Keys // nil where there are none
	secrets *portone.Secrets
	notify  *shop.Secrets // nil where there are none
	sources web.Sources
	pages   web.Origins
	tokens  *web.Tokens

	payments   *portone.Client // nil without credentials
	store      *store.Store
	closeStore func()
	sales      []gate.Sale // that should be there
	demo       bool        // they are the demo sale

	metrics     *web.Metrics
	refusals    *web.RefusalLog // nil where there is none
	refusalFile *logFile        // nil where it is in no file

	gate        *lane.Gate
	shopMetrics *shop.Metrics
	lastWord    *shop.LastWord
	forwarder   *shop.Forwarder // nil where webhooks are not passed on
	answers     *portone.Answers
	public      *web.Public
	watcher     *watcher
	admin       *web.Admin

	files                         uint64 // that may be open
	mostPublic, mostAdmin         int    // connections
	publicListener, adminListener net.Listener
}

func newParts(c *serveCommand, env *environment) *parts {
	return &parts{
		flags: c, env: env, log: cmdline.NewLog(env.err, c.LogFormat, c.LogLevel),
		registry: prometheus.NewRegistry(),
	}
}

// serve makes the parts, and has them work until ctx is done.
func (p *parts) serve(ctx context.Context, hangup <-chan os.Signal, started func(public, admin net.Addr)) (err error) {
	defer func() { err = errors.Join(err, p.close()) }()
	for _, step := range []func(context.Context) error{
		p.readSecrets, p.callPortOne, p.openStore, p.createSales, p.openRefusalLog, p.makeGate, p.makeWatcher,
		p.makeAdmin, p.listen,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	p.introduce()
	w := p.workers(hangup)
	started(p.publicListener.Addr(), p.adminListener.Addr())
	return w.run(ctx, p.publicListener, p.adminListener)
}

// close closes what no worker has closed.
func (p *parts) close() error {
	err := p.refusalFile.Close()
	if err != nil {
		err = fmt.Errorf("close the refusal log: its last lines may be missing: %w", err)
	}
	if p.closeStore != nil {
		p.closeStore()
	}
	return err
}

// readSecrets reads what is given as secrets, and says where there is less of them
// than a real sale wants.
func (p *parts) readSecrets(context.Context) (err error) {
	if p.keys, err = p.flags.keys(); err != nil {
		return err
	}
	if p.secrets, err = p.flags.secrets(); err != nil {
		return err
	}
	if p.notify, err = p.flags.notifySecrets(); err != nil {
		return err
	}
	if p.sources, err = p.flags.sources(); err != nil {
		return err
	}
	if p.pages, err = p.flags.origins(); err != nil {
		return err
	}
	if p.tokens, err = p.flags.tokens(); err != nil {
		return err
	}
	if p.flags.unsigned() {
		p.log.Warn("confirm links are not signed: whoever reaches this gate can make one")
	}
	if p.flags.TestPayments {
		p.log.Warn("payments of test channels count, and they move no money: not for a real sale (--test-payments)")
	}
	return nil
}

// callPortOne makes the client of PortOne's REST APIs. It calls nobody yet.
func (p *parts) callPortOne(context.Context) (err error) {
	p.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(p.env.version))
	if p.payments, err = p.flags.client(p.registry, p.log); err != nil {
		return err
	}
	if p.payments.Lookups().V2 && p.flags.PortoneV2Store == "" {
		p.log.Warn("calls and payments of any store of PortOne V2's count as this shop's: give the store's id by " +
			"--portone-v2-store")
	}
	return nil
}

// openStore opens the real store or the embedded one, and checks that it can be
// trusted with sales.
func (p *parts) openStore(ctx context.Context) error {
	c := p.flags
	options := store.Options{
		Who: c.name(), Timeout: c.RedisTimeout, WaitReplicas: c.WaitReplicas, WaitTimeout: c.wait(),
		FirstLook: c.FirstLook,
	}
	var err error
	if options.Credentials, err = c.redisAccess.read(); err != nil {
		return err
	}
	url, end := c.Redis, func() {}
	if c.embedded() {
		embedded, err := store.StartEmbedded()
		if err != nil {
			return err
		}
		url, end = embedded.URL(), embedded.Close
		p.log.Warn("the store is embedded, in memory: for a look and for tests, not for a sale. All of it is gone "+
			"when this program ends",
			"other commands reach it with", "--redis "+url)
	}
	s, err := store.Open(url, store.Deps{Metrics: store.NewMetrics(p.registry), Log: p.log}, options)
	if err != nil {
		end()
		return fmt.Errorf("--redis: %w", err)
	}
	p.store, p.closeStore = s, func() {
		if err := s.Close(); err != nil {
			p.log.Warn("could not close the connections to Redis", "error", err)
		}
		end()
	}
	if !c.embedded() {
		if err := s.Check(ctx); err != nil {
			return fmt.Errorf("--redis: %w", err)
		}
	}
	return nil
}

// createSales creates the sales that should be there, where they may be created.
func (p *parts) createSales(ctx context.Context) (err error) {
	if p.sales, p.demo, err = p.flags.sales(); err != nil {
		return err
	}
	return p.flags.createSales(ctx, p.store, p.sales, p.log)
}

// openRefusalLog opens the refusal log, and the file that it is in where it is in
// one.
func (p *parts) openRefusalLog(context.Context) error {
	p.metrics = web.NewMetrics(p.registry)
	switch path := p.flags.RefusalLog; path {
	case "":
	case "-":
		p.refusals = web.NewRefusalLog(p.env.out, p.metrics, p.log)
	default:
		file, err := openLogFile(path)
		if err != nil {
			return fmt.Errorf("--refusal-log: %w", err)
		}
		p.refusalFile, p.refusals = file, web.NewRefusalLog(file, p.metrics, p.log)
	}
	return nil
}

// makeGate makes the lanes and the public listener's server in front of them.
func (p *parts) makeGate(context.Context) error {
	c := p.flags
	var err error
	if p.answers, err = portone.NewAnswers(c.Language); err != nil {
		return fmt.Errorf("--language: %w", err)
	}
	verify := p.keys
	if c.unsigned() {
		verify = gate.Unsigned()
	}
	p.shopMetrics = shop.NewMetrics(p.registry)
	p.lastWord = shop.NewLastWord(shop.LastWordDeps{
		Sales: func() map[string]*gate.Settings { return p.gate.Sales() }, Secrets: p.notify, Metrics: p.shopMetrics,
		Now: time.Now, Log: p.log,
	})
	p.gate = lane.New(lane.Deps{
		Store: p.store, Metrics: lane.NewMetrics(p.registry), Keys: verify, Shop: p.lastWord, Mirror: p.mirrors(),
		Now: time.Now, Log: p.log,
	}, lane.Options{Queue: c.Queue, CallTimeout: c.RedisTimeout + c.wait(), Expected: p.sales})
	p.forwarder = c.forwarder(p.shopMetrics)
	p.files = openFiles()
	p.mostPublic, p.mostAdmin = shareFiles(p.files)
	p.public = web.NewPublic(web.PublicDeps{
		Gate: p.gate, Answers: p.answers, Metrics: p.metrics, Secrets: p.secrets, Refusals: p.refusals,
		Orders: p.store, Forward: p.forwarder, Log: p.log,
	}, web.PublicOptions{
		Lookups: p.payments.Lookups(), Store: portone.Store(c.PortoneV2Store), Sources: p.sources,
		Origins: p.pages, Most: p.mostPublic, MostPerAddress: c.MaxConnectionsPerAddress,
	})
	return nil
}

// mirrors returns what makes the gate's copy of a sale; nil where it is to have none.
func (p *parts) mirrors() func(sale string) *mirror.Mirror {
	if p.flags.NoMirror {
		return nil
	}
	metrics := mirror.NewMetrics(p.registry)
	return func(sale string) *mirror.Mirror {
		return mirror.New(sale, mirror.Deps{
			Follower: p.store.Follower(sale), Metrics: metrics, Now: time.Now, Log: p.log,
		})
	}
}

// makeWatcher makes what looks at the gate's surroundings.
func (p *parts) makeWatcher(context.Context) error {
	p.watcher = &watcher{
		sales: p.gate.Sales, untaken: p.secrets.Untaken(p.payments.Lookups()), currency: p.flags.Currency,
		takesV1: func(accept []string) bool {
			_, takes := p.secrets.Takes(gate.V1, accept, p.payments.Lookups())
			return takes
		},
		follow: newFollowing(p.store.Following, p.flags.WaitReplicas, p.registry, p.log),
		checks: newChecks(p.surroundings(), time.Now, p.registry, p.log), log: p.log,
	}
	return nil
}

// makeAdmin makes the operator's listener's server.
func (p *parts) makeAdmin(context.Context) error {
	tls, err := p.flags.tls(p.registry)
	if err != nil {
		return err
	}
	p.admin = web.NewAdmin(web.AdminDeps{
		Registry: p.registry, Ready: p.public.Ready, Gate: p.gate, Answers: p.answers, Metrics: p.metrics,
		Sales: p.store, Settling: p.store, ParseSale: parseSale,
		Audit: func(ctx context.Context, sale, prefix string, known bool) (any, error) {
			return runAudit(ctx, p.store, p.payments, nil, sale, audit.Options{Prefix: prefix, Known: known})
		},
		Status: func() gate.Status {
			s := p.watcher.status()
			s.Gate, s.Ready = p.flags.name(), p.public.Ready()
			return s
		},
		Tokens: p.tokens, Keys: p.keys, TLS: tls, Now: time.Now, Log: p.log,
	}, web.AdminOptions{BaseURL: p.flags.PublicURL, Most: p.mostAdmin})
	return nil
}

// listen opens both listeners, or neither.
func (p *parts) listen(context.Context) (err error) {
	if p.publicListener, err = net.Listen("tcp", p.flags.Listen); err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if p.adminListener, err = net.Listen("tcp", p.flags.AdminListen); err != nil {
		return errors.Join(fmt.Errorf("--admin-listen: %w", err), p.publicListener.Close())
	}
	return nil
}

// introduce says where the gate serves, and what is to be known of it.
func (p *parts) introduce() {
	if !cmdline.Loopback(p.flags.AdminListen) && p.flags.AdminTLSCert == "" {
		p.log.Warn("the admin listener is not encrypted: tokens can be read on the way; see --admin-tls-cert", "admin",
			p.flags.AdminListen)
	}
	tellFiles(p.log, p.files, p.mostPublic, p.mostAdmin)
	p.log.Info("serving", "version", p.env.version, "listen", p.publicListener.Addr().String(), "admin",
		p.adminListener.Addr().String())
	if p.demo {
		fmt.Fprint(p.env.out, demoHint(p.publicListener.Addr(), p.keys))
	}
}

// workers makes the parts that work on their own.
func (p *parts) workers(hangup <-chan os.Signal) *workers {
	c := p.flags
	settling := settle.Deps{
		Store: p.store, Sales: p.gate.Sales, Reason: p.answers.Refund, Metrics: settle.NewMetrics(p.registry),
		Now: time.Now, Log: p.log,
	}
	if p.payments != nil {
		settling.Payments = p.payments
	} else {
		p.log.Warn("without credentials of PortOne nobody looks up how payments end: units stay held until the shop " +
			"reports each order")
	}
	var reconciler *settle.Reconciler
	if p.payments != nil {
		reconciler = settle.NewReconciler(settle.ReconcilerDeps{
			Store: p.store, Changes: p.payments, Sales: p.gate.Sales, Metrics: settle.NewReconcileMetrics(p.registry),
			Now: time.Now, Log: p.log,
		}, settle.ReconcilerOptions{Currency: c.Currency, Test: c.TestPayments})
	}
	notifier := shop.NewNotifier(shop.NotifierDeps{
		Store: p.store, Sales: p.gate.Sales, Secrets: p.notify, Metrics: p.shopMetrics, Now: time.Now, Log: p.log,
	})
	settler := settle.New(settling, settle.Options{
		Who: c.name(), Currency: c.Currency, Test: c.TestPayments, Grace: c.Grace, MinLook: c.FirstLook / 2,
	})
	reloads := &reloader{hangup: hangup, items: p.reloadables(), after: p.watcher.checks.retry, log: p.log}
	return &workers{
		gate: p.gate, settler: settler, reconciler: reconciler, notifier: notifier, lastWord: p.lastWord,
		forwarder: p.forwarder, public: p.public, admin: p.admin, watcher: p.watcher, reloader: reloads,
		refusals: p.refusals, drainWait: c.DrainWait, log: p.log,
	}
}

func buildInfo(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flashgate_build_info", Help: "The version that runs; always 1.",
		ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
}
