package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/settle"
)

// Sales is what the admin API needs of a store.
type Sales interface {
	gate.Register
	// Read reads many sales at once.
	Read(ctx context.Context, names []string) map[string]gate.Reading
	// Order reads an order. It returns gate.ErrNoOrder if the sale does not have it.
	Order(ctx context.Context, sale, id string) (gate.Order, error)
	settle.Owed
	settle.Braked
	settle.Rechecked
	// Disputes returns the disputes and chargebacks of a sale, by order. DisputesOf returns one
	// list for each of the orders, in the same sequence.
	Disputes(ctx context.Context, sale string) (map[string][]gate.Dispute, error)
	DisputesOf(ctx context.Context, sale string, orders []string) ([][]gate.Dispute, error)
	// Aside returns everything that is set aside of a sale. It returns gate.ErrNoSale.
	Aside(ctx context.Context, sale string) ([]gate.SetAside, error)
	// Reconciling reads how far a sale was compared with PortOne's lists of changes. It returns
	// gate.ErrNoSale.
	Reconciling(ctx context.Context, sale string) (gate.Reconciling, error)
	// Delivery reads how many of a sale's changes the shop has got. It returns gate.ErrNoSale.
	Delivery(ctx context.Context, sale string) (gate.Delivery, error)
	// Ledger yields the entries of a sale's ledger from number from on, oldest first. It ends after
	// the newest entry, or with an error.
	Ledger(ctx context.Context, sale string, from int64) iter.Seq2[*gate.Entry, error]
}

// AdminDeps are the dependencies of an Admin. All but Keys and TLS are needed.
type AdminDeps struct {
	Registry  *prometheus.Registry
	Ready     func() bool // whether the public listener should be sent requests
	Gate      *lane.Gate
	Answers   *portone.Answers
	Metrics   *Metrics
	Sales     Sales
	Settling  settle.Reports                       // for what the shop reports
	ParseSale func(text []byte) (gate.Sale, error) // of one sale in the form of a sale file
	// Audit returns a report on a sale that can be written as JSON. A payment that
	// PortOne has, of an order that no sale knows, counts only if the order begins with
	// the prefix, and with known never. Its errors are those of a store.
	Audit  func(ctx context.Context, sale, prefix string, known bool) (any, error)
	Status func() gate.Status
	Tokens *Tokens     // that callers show; nil lets nobody in
	Keys   *gate.Keys  // sign links; nil signs none
	TLS    *tls.Config // reads its certificate anew where that changes; nil serves without TLS
	Now    func() time.Time
	Log    *slog.Logger
}

// AdminOptions of an Admin.
type AdminOptions struct {
	BaseURL string // where PortOne reaches the gates, for links; empty: callers of the API say it
	Most    int    // connections that may be open; 0: any number
}

// Admin is the operator's listener: health, metrics, profiles and the API.
type Admin struct {
	deps     AdminDeps
	opt      AdminOptions
	guard    *guard
	server   *http.Server
	streams  *streams
	auditing sync.Mutex // held while a sale is audited
}

// NewAdmin returns the admin listener's server.
func NewAdmin(deps AdminDeps, opt AdminOptions) *Admin {
	a := &Admin{deps: deps, opt: opt, guard: newGuard(deps.Tokens), streams: newStreams(deps.Gate.Since, deps.Metrics)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !deps.Ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	handle := func(pattern string, least role, next handler) {
		mux.Handle(pattern, a.guard.allow(least, bounded(next)))
	}
	api := func(pattern string, least role, timeout time.Duration, carryOut endpoint) {
		handle(pattern, least, a.api(timeout, carryOut))
	}
	plain := func(pattern string, least role, next http.HandlerFunc) {
		handle(pattern, least, func(w http.ResponseWriter, r *http.Request, _ string) { next(w, r) })
	}
	plain("GET /metrics", reader,
		promhttp.HandlerFor(deps.Registry, promhttp.HandlerOpts{Registry: deps.Registry}).ServeHTTP)
	plain("GET /debug/pprof/", operator, pprof.Index) // without pprof.Cmdline: the command line may show a secret
	plain("GET /debug/pprof/profile", operator, pprof.Profile)
	plain("GET /debug/pprof/trace", operator, pprof.Trace)
	plain("GET /debug/pprof/cmdline", operator, http.NotFound)
	api("GET /v1/status", reader, callTimeout, a.status)
	api("GET /v1/sales", reader, callTimeout, a.list)
	api("GET /v1/sales/{sale}", reader, listTimeout, a.show)
	api("PUT /v1/sales/{sale}", operator, callTimeout, a.apply)
	api("DELETE /v1/sales/{sale}", operator, callTimeout, a.remove)
	api("POST /v1/sales/{sale}/pause", operator, callTimeout, a.pause)
	api("POST /v1/sales/{sale}/resume", operator, callTimeout, a.resume)
	api("GET /v1/sales/{sale}/orders/{order}", reader, callTimeout, a.order)
	api("GET /v1/sales/{sale}/audit", reader, auditTimeout, a.audit)
	api("GET /v1/sales/{sale}/ledger", reader, listTimeout, a.ledger)
	handle("GET /v1/sales/{sale}/events", reader, a.events)
	api("POST /v1/sales/{sale}/orders/{order}/report", operator, callTimeout, a.report)
	api("POST /v1/sales/{sale}/orders/{order}/refund", operator, callTimeout, a.refund)
	api("POST /v1/sales/{sale}/recheck", operator, listTimeout, a.recheck)
	api("POST /v1/sales/{sale}/orders/{order}/recheck", operator, callTimeout, a.recheckOrder)
	api("GET /v1/sales/{sale}/refunds", reader, listTimeout, a.refunds)
	api("POST /v1/sales/{sale}/refunds/go-on", operator, listTimeout, a.goOn)
	api("GET /v1/sales/{sale}/undelivered", reader, callTimeout, a.undelivered)
	api("GET /v1/sales/{sale}/disputes", reader, listTimeout, a.disputes)
	api("GET /v1/sales/{sale}/aside", reader, callTimeout, a.aside)
	api("POST /v1/sales/{sale}/confirm-url", operator, callTimeout, a.confirmURL)
	handle("/metrics", reader, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Allow", "GET, HEAD")
		writeError(w, http.StatusMethodNotAllowed, errors.New("the method must be GET"))
	})
	handle("/", reader, func(w http.ResponseWriter, r *http.Request, _ string) {
		writeError(w, http.StatusNotFound, errors.New("there is nothing here: see the admin API in docs/operate.md"))
	})
	a.server = &http.Server{
		Handler: http.NewCrossOriginProtection().Handler(mux), ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:  10 * time.Second,
		WriteTimeout: 2 * time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog:  slog.NewLogLogger(deps.Log.Handler(), slog.LevelDebug),
		ConnState: seated,
	}
	return a
}

// Serve answers requests at ln until Shutdown.
func (a *Admin) Serve(ln net.Listener) error {
	ln = newCrowd(ln, "admin", a.opt.Most, a.deps.Metrics, a.deps.Log)
	if a.deps.TLS != nil {
		ln = tls.NewListener(ln, a.deps.TLS)
	}
	if err := a.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// seated tells a connection's seat that a request began or ended.
func seated(c net.Conn, state http.ConnState) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	s := c.(*seat) // Serve gives each connection one
	switch state {
	case http.StateActive:
		s.serve()
	case http.StateIdle:
		s.rest()
	}
}

// Shutdown stops accepting, ends the event streams, and waits for requests under way, until ctx is
// done. Then it closes the connections that are left: mostly those that nobody has used yet.
func (a *Admin) Shutdown(ctx context.Context) error {
	a.streams.end()
	err := a.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return a.server.Close()
	}
	return err
}
