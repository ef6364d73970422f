package shop

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	// tick is the pause between two reads of a sale's ledger; progress is written as often.
	tick = 500 * time.Millisecond
	// lease is how long a sale stays with a gate that does not renew it.
	lease = 30 * time.Second
)

// Store is what a Notifier needs of a store.
type Store interface {
	ClaimDelivery(ctx context.Context, sale, token string, lease time.Duration) (gate.Delivery, error)
	KeepDelivery(ctx context.Context, sale, token string, lease time.Duration, p gate.Progress) (gate.Delivery, error)
	Entries(ctx context.Context, sale string, after int64, most int) ([]*gate.Entry, error)
	EntriesAt(ctx context.Context, sale string, seqs []int64) ([]*gate.Entry, error)
}

// NotifierDeps are the dependencies of a Notifier. All but Secrets are needed.
type NotifierDeps struct {
	Store Store
	// Sales returns the sales that this gate knows, with their settings.
	Sales   func() map[string]*gate.Settings
	Secrets *Secrets // nil: nothing is sent, because nothing goes out unsigned
	Metrics *Metrics
	Now     func() time.Time
	Log     *slog.Logger
}

// Notifier sends the newest state of each changed order to the shop, for all sales with a notify
// URL. Any number of gates may run one: each sale is claimed by one gate at a time.
type Notifier struct {
	deps    NotifierDeps
	poster  *poster
	refused map[string]bool // sales without messages for lack of a secret; used by Run alone
}

// NewNotifier returns a notifier. It does nothing until Run is called.
func NewNotifier(deps NotifierDeps) *Notifier {
	return &Notifier{
		deps:    deps,
		poster:  &poster{newClient(parallel, postTimeout, nil), deps.Secrets, deps.Now},
		refused: map[string]bool{},
	}
}

// Run sends changes to the shops until ctx is done. Then it gives up its leases, so that other
// gates go on, and returns.
func (n *Notifier) Run(ctx context.Context) {
	defer n.poster.close()
	gate.PerSale(ctx, tick, n.told, func(sale string, _ *gate.Settings) { n.serve(ctx, sale) })
}

// told returns the sales whose changes are sent to a shop.
func (n *Notifier) told() map[string]*gate.Settings {
	sales := n.deps.Sales()
	n.refuse(sales)
	if n.deps.Secrets == nil {
		return nil
	}
	told := maps.Clone(sales)
	maps.DeleteFunc(told, func(_ string, s *gate.Settings) bool { return s.Notify == "" })
	return told
}

// refuse logs the sales whose shop gets no messages, because this gate has no secret to sign with.
func (n *Notifier) refuse(sales map[string]*gate.Settings) {
	if n.deps.Secrets != nil {
		return
	}
	for sale, settings := range sales {
		if settings.Notify != "" && !n.refused[sale] {
			n.refused[sale] = true
			n.deps.Metrics.secretless.WithLabelValues(sale).Set(1)
			n.deps.Log.Error("the shop is told nothing of this sale, because this gate has no secret to sign with: "+
				"set FLASHGATE_NOTIFY_SECRET (whsec_…) or --notify-secret-file", "sale", sale)
		}
	}
	for sale := range n.refused {
		if settings := sales[sale]; settings == nil || settings.Notify == "" {
			delete(n.refused, sale)
			n.deps.Metrics.secretless.DeleteLabelValues(sale)
		}
	}
}

// url is a sale's notify URL; empty if it has none any more.
func (n *Notifier) url(sale string) string {
	if settings := n.deps.Sales()[sale]; settings != nil {
		return settings.Notify
	}
	return ""
}

// serve sends a sale's changes as long as this gate has the lease, unless another gate has it. A
// claim whose reply is lost is made again with the same token: with a new token the gate would wait
// a whole lease for itself.
func (n *Notifier) serve(ctx context.Context, sale string) {
	token := rand.Text()
	for wait := (gate.Backoff{}); ; wait.Wait(ctx) {
		asked := n.deps.Now()
		d, err := n.deps.Store.ClaimDelivery(ctx, sale, token, lease)
		if err == nil {
			n.deps.Metrics.initSale(sale)
			err = newSession(n, sale, token, asked.Add(lease), d).run(ctx)
			n.deps.Metrics.forget(sale)
		}
		if err == nil || ctx.Err() != nil || errors.Is(err, gate.ErrClaimed) || errors.Is(err, gate.ErrNoSale) {
			return
		}
		n.deps.Log.Log(ctx, wait.Level(), "the shop cannot be told of a sale's changes: they wait until it can", "sale",
			sale, "error", err)
	}
}
