package shop_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/shop"
)

// pages is a log that a test reads while it is written.
type pages struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *pages) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// take returns the lines since the last call.
func (p *pages) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := strings.TrimSpace(p.text.String())
	p.text.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// talker is a gate that asks shops, and looks whether they are up.
type talker struct {
	*shop.LastWord
	clock
	t        *testing.T
	registry *prometheus.Registry
	log      *pages
	secrets  *shop.Secrets

	lock  sync.Mutex
	known map[string]*gate.Settings
}

// talk runs a talker with secret A until the test ends.
func talk(t *testing.T, sales map[string]*gate.Settings) *talker {
	t.Helper()
	return talkOver(t, nil, parsed(t, secretA), sales)
}

// talkOver is talk over another network, or with other secrets.
func talkOver(t *testing.T, dial dialer, secrets *shop.Secrets, sales map[string]*gate.Settings) *talker {
	t.Helper()
	w := newTalker(t, dial, secrets, sales)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// newTalker returns a talker that does not run.
func newTalker(t *testing.T, dial dialer, secrets *shop.Secrets, sales map[string]*gate.Settings) *talker {
	w := &talker{t: t, registry: prometheus.NewRegistry(), log: &pages{}, secrets: secrets, known: sales}
	w.LastWord = shop.NewLastWord(shop.LastWordDeps{
		Sales: w.sales, Secrets: secrets, Metrics: shop.NewMetrics(w.registry), Dial: dial,
		Now: w.now, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	return w
}

func parsed(t *testing.T, secrets string) *shop.Secrets {
	t.Helper()
	s, err := shop.ParseSecrets(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *talker) sales() map[string]*gate.Settings {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.known
}

// set makes other sales, or other settings, those that the gate knows.
func (w *talker) set(sales map[string]*gate.Settings) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.known = sales
}

// about asks about an order of the sale race, in so much time.
func (w *talker) about(url string, patience time.Duration) gate.Answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return w.Ask(ctx, question(url))
}

func question(url string) *gate.Question {
	return &gate.Question{URL: url, Sale: "race", Run: 3, Confirm: &gate.Confirm{
		Order: []byte("o1"), Attempt: []byte("imp_1"), Version: 2, Buyer: []byte("김철수"),
		Lines: []gate.Line{
			{SKU: "full", Quantity: 2},
			{SKU: "half", Quantity: 1},
		}, Amount: gate.Amount{Value: 220_000, Known: true},
	}}
}

// shows says where metrics are other than in the text.
func (w *talker) shows(want string, names ...string) error {
	return testutil.GatherAndCompare(w.registry, strings.NewReader(want), names...)
}

// Each alone may refuse, and none is asked where there is nothing to look at.
func TestWhatHindersASale(t *testing.T) {
	t.Parallel()
	const url = "https://shop.example.com/"
	f := func(secrets *shop.Secrets, s gate.Settings, want gate.Cause) {
		t.Helper()
		w := talkOver(t, nil, secrets, nil)
		if got := w.Hindrance("race", &s); got != want {
			t.Errorf("%+v is hindered by %q, want %q", s, got, want)
		}
	}
	secrets := parsed(t, secretA)
	f(secrets, gate.Settings{}, gate.NoCause)
	f(secrets, gate.Settings{Ask: url}, gate.NoCause)
	f(secrets, gate.Settings{Healthy: url}, gate.ShopDown)
	f(secrets, gate.Settings{Ask: url, Healthy: url}, gate.ShopDown)
	f(nil, gate.Settings{}, gate.NoCause)
	f(nil, gate.Settings{Ask: url}, gate.ShopSecretless)
	f(nil, gate.Settings{Healthy: url}, gate.ShopDown)
	f(nil, gate.Settings{Ask: url, Healthy: url}, gate.ShopSecretless)
	f(&shop.Secrets{}, gate.Settings{Ask: url}, gate.ShopSecretless)
}

// Every confirm of such a sale comes by.
func TestToSeeWhetherASaleIsHinderedTakesNoMemory(t *testing.T) {
	const url = "https://shop.example.com/"
	w := talkOver(t, nil, parsed(t, secretA), nil)
	s := &gate.Settings{Ask: url, Healthy: url}
	if n := testing.AllocsPerRun(100, func() { w.Hindrance("race", s) }); n > 0 {
		t.Errorf("it allocates %v times", n)
	}
}
