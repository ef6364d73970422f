package shop

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	// tick is how often a sale's ledger is asked for what is new, and what was done
	// is written down.
	tick = 500 * time.Millisecond
	// lease is how long a gate that is not heard of keeps the others from a sale.
	lease = 30 * time.Second
	// troubled is how long a sale is left alone whose state could not be read.
	troubled = 5 * time.Second
)

// Store is what telling the shop needs of a store.
type Store interface {
	ClaimDelivery(ctx context.Context, sale, token string, lease time.Duration) (gate.Delivery, error)
	KeepDelivery(ctx context.Context, sale, token string, lease time.Duration, p gate.Progress) (gate.Delivery, error)
	Entries(ctx context.Context, sale string, after int64, most int) ([]*gate.Entry, error)
	EntriesAt(ctx context.Context, sale string, seqs []int64) ([]*gate.Entry, error)
}

// NotifierOptions of a Notifier. All but Secrets are needed.
type NotifierOptions struct {
	Store Store
	// Sales returns the sales that this gate knows, with their settings.
	Sales   func() map[string]*gate.Settings
	Secrets *Secrets // nil: then nothing is told, for nothing goes out unsigned
	Metrics *Metrics
	Now     func() time.Time
	Log     *slog.Logger
}

// Notifier tells the shop of each change of an order, of all sales that have a URL
// for it. Any number of gates may do so at once: each sale is claimed by one.
type Notifier struct {
	opt     NotifierOptions
	poster  *poster
	mu      sync.Mutex
	busy    map[string]bool // sales that this gate tells of, or tries to claim
	refused map[string]bool // sales that are not told of for lack of a secret; used by Run alone
	running sync.WaitGroup
}

// NewNotifier returns a notifier that does nothing until Run.
func NewNotifier(opt NotifierOptions) *Notifier {
	return &Notifier{
		opt: opt, poster: newPoster(opt.Secrets, parallel, opt.Now), busy: map[string]bool{}, refused: map[string]bool{},
	}
}

// Run tells the shops until ctx is done. Then it gives up what it has claimed, so
// that another gate goes on, and returns.
func (n *Notifier) Run(ctx context.Context) {
	defer n.poster.close()
	defer n.running.Wait()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		sales := n.opt.Sales()
		n.refuse(sales)
		for sale, settings := range sales {
			if settings.Notify != "" && n.opt.Secrets != nil && n.begin(sale) {
				n.running.Go(func() {
					n.tell(ctx, sale)
					n.end(sale)
				})
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// refuse says of which sales the shop is not told because nothing could sign it.
func (n *Notifier) refuse(sales map[string]*gate.Settings) {
	if n.opt.Secrets != nil {
		return
	}
	for sale, settings := range sales {
		if settings.Notify != "" && !n.refused[sale] {
			n.refused[sale] = true
			n.opt.Metrics.secretless.WithLabelValues(sale).Set(1)
			n.opt.Log.Error("the shop is told nothing of this sale, for this gate has no secret to sign with: "+
				"set FLASHGATE_NOTIFY_SECRET (whsec_…) or --notify-secret-file", "sale", sale)
		}
	}
	for sale := range n.refused {
		if settings := sales[sale]; settings == nil || settings.Notify == "" {
			delete(n.refused, sale)
			n.opt.Metrics.secretless.DeleteLabelValues(sale)
		}
	}
}

func (n *Notifier) begin(sale string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.busy[sale] {
		return false
	}
	n.busy[sale] = true
	return true
}

func (n *Notifier) end(sale string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.busy, sale)
}

// url is where the shop is told of a sale; empty where it is not, or no longer.
func (n *Notifier) url(sale string) string {
	if settings := n.opt.Sales()[sale]; settings != nil {
		return settings.Notify
	}
	return ""
}

// tell tells the shop of a sale for as long as this gate has it, if no other has.
func (n *Notifier) tell(ctx context.Context, sale string) {
	token, asked := rand.Text(), n.opt.Now()
	d, err := n.opt.Store.ClaimDelivery(ctx, sale, token, lease)
	if err == nil {
		err = newSession(n, sale, token, asked.Add(lease), d).run(ctx)
		n.opt.Metrics.forget(sale)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, gate.ErrClaimed) && !errors.Is(err, gate.ErrNoSale) {
		n.opt.Log.Error("the shop cannot be told of a sale's changes: what is untold is told later", "sale", sale, "error", err)
		pause(ctx, troubled)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
