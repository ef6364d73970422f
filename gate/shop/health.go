package shop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/flashgate/flashgate/gate"
)

const (
	// look is how often the list of shops to probe is read, so that a new URL is probed soon.
	look = 200 * time.Millisecond
	// probeEvery is the time from the start of one probe to that of the next.
	probeEvery = 2 * time.Second
	// probeTimeout bounds one probe.
	probeTimeout = time.Second
	// inARow is how many equal answers in a row change the shop between up and down.
	inARow = 2
	// Probing begins probeBefore a sale opens. It ends probeAfter the sale closes, because the
	// store's clock decides when that is.
	probeBefore, probeAfter = 10 * time.Minute, time.Minute
	// probedAtOnce is how many idle connections to one server are kept for probes.
	probedAtOnce = 16
)

// Probe asks a shop's healthy URL once, as gates do. It returns how long that took, and an error
// that says why the shop is not up, or nil.
func Probe(ctx context.Context, url string) (took time.Duration, err error) {
	client := newClient(1, probeTimeout, nil)
	defer client.CloseIdleConnections()
	return probe(ctx, client, url)
}

func probe(ctx context.Context, client *http.Client, url string) (took time.Duration, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, fmt.Errorf("probe the shop: %w", withoutURL(err))
	}
	request.Header.Set("User-Agent", agent)
	status, _, err := send(client, request)
	took = time.Since(began)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return took, fmt.Errorf("it did not answer within %s", probeTimeout)
	case err != nil:
		return took, fmt.Errorf("it cannot be reached: %w", err)
	case !taken(status):
		return took, fmt.Errorf("it answered %d and not with a 2xx", status)
	}
	return took, nil
}

// prober probes the shop of each sale with a healthy URL again and again, and knows whether it is
// up.
type prober struct {
	client  *http.Client
	metrics *Metrics
	now     func() time.Time
	log     *slog.Logger

	up     gate.Replaceable[map[string]string] // the healthy URL of each sale whose shop is up
	mu     sync.Mutex
	pulses map[string]*pulse // by sale
}

// pulse is what is known of one sale's shop at one URL, since the probing of that URL began.
type pulse struct {
	url     string
	began   time.Time // of the newest probe
	heard   bool      // an answer has come
	up      bool
	against int // answers in a row that contradict what is known
}

func newProber(deps *LastWordDeps) *prober {
	p := &prober{
		client: newClient(probedAtOnce, probeTimeout, deps.Dial), metrics: deps.Metrics, now: deps.Now, log: deps.Log,
		pulses: map[string]*pulse{},
	}
	p.up.Set(map[string]string{})
	return p
}

// isUp reports whether the sale's shop is up at exactly this URL.
func (p *prober) isUp(sale, url string) bool { return p.up.Now()[sale] == url }

// probed reports whether a sale's shop is to be probed at the given time.
func probed(s *gate.Settings, now time.Time) bool {
	return s != nil && s.Healthy != "" && !now.Before(s.OpensAt.Add(-probeBefore)) &&
		now.Before(s.ClosesAt.Add(probeAfter))
}

// due returns the sales whose shop is to be probed now, and forgets shops that are not probed any
// more.
func (p *prober) due(sales map[string]*gate.Settings) map[string]*gate.Settings {
	now, due := p.now(), map[string]*gate.Settings{}
	p.mu.Lock()
	defer p.mu.Unlock()
	for sale, at := range p.pulses {
		if s := sales[sale]; !probed(s, now) || s.Healthy != at.url {
			delete(p.pulses, sale)
			p.publish(sale, "")
			p.metrics.forgetShop(sale)
		}
	}
	for sale, s := range sales {
		if !probed(s, now) {
			continue
		}
		at := p.pulses[sale]
		if at == nil {
			at = &pulse{url: s.Healthy}
			p.pulses[sale] = at
			p.metrics.shopUp.WithLabelValues(sale).Set(0)
		}
		if now.Sub(at.began) > probeEvery-look/2 {
			due[sale] = s
		}
	}
	return due
}

// probe probes a sale's shop once. The answer is ignored if the sale has another URL by then, or is
// not probed any more.
func (p *prober) probe(ctx context.Context, sale string) {
	at := p.begin(sale)
	if at == nil {
		return
	}
	took, err := probe(ctx, p.client, at.url)
	if ctx.Err() != nil {
		return // the gate gave it up, and not the shop
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pulses[sale] == at {
		p.metrics.probeTook.WithLabelValues(sale).Observe(took.Seconds())
		if at.hear(err == nil) {
			p.announce(sale, at, err)
		}
	}
}

func (p *prober) begin(sale string) *pulse {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.pulses[sale]
	if at != nil {
		at.began = p.now()
	}
	return at
}

// hear counts an answer, and reports whether the shop's state has changed. The first answer decides
// at once.
func (a *pulse) hear(up bool) (changed bool) {
	switch {
	case a.heard && up == a.up:
		a.against = 0
		return false
	case a.heard:
		if a.against++; a.against < inARow {
			return false
		}
	}
	a.heard, a.up, a.against = true, up, 0
	return true
}

// announce publishes, shows and logs that a shop is up now, or down and why.
func (p *prober) announce(sale string, at *pulse, why error) {
	if at.up {
		p.publish(sale, at.url)
		p.metrics.shopUp.WithLabelValues(sale).Set(1)
		p.log.Info("the shop is up: this sale may take new orders", "sale", sale, "healthy", gate.HideSecrets(at.url))
		return
	}
	p.publish(sale, "")
	p.metrics.shopUp.WithLabelValues(sale).Set(0)
	p.log.Warn("the shop is down: until it is up again this sale takes no new orders, and refuses them as "+
		"shop_unavailable",
		"sale", sale, "healthy", gate.HideSecrets(at.url), "error", why)
}

// publish sets the URL at which a sale's shop is up; empty if it is down.
func (p *prober) publish(sale, url string) {
	up := maps.Clone(p.up.Now())
	if delete(up, sale); url != "" {
		up[sale] = url
	}
	p.up.Set(up)
}
