package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/shop"
)

const (
	hookV1  = `{"imp_uid":"imp_1","merchant_uid":"order_1","status":"paid"}`
	hookV2  = `{"type":"Transaction.Paid","timestamp":"2026-12-01T00:00:00Z","data":{"paymentId":"order_1","transactionId":"tx_1","storeId":"s"}}`
	another = `{"imp_uid":"imp_9","merchant_uid":"order_9","status":"paid"}`
)

// bell notes what is hastened. The sale "race" has the order "order_1".
type bell struct {
	mu   sync.Mutex
	rang []string
	err  error
}

func (b *bell) hasten(sale, order string) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rang = append(b.rang, sale+"/"+order)
	return order == "order_1", b.err
}

func TestAWebhookHasItsOrderLookedAt(t *testing.T) {
	t.Parallel()
	f := func(path, body string, want int, wantRang, outcome string) {
		t.Helper()
		b, metrics := &bell{}, newMetrics()
		s := start(t, &store{hasten: b.hasten}, nil, metrics)
		status, text := s.post(t, path, body)
		if status != want || fmt.Sprint(b.rang) != wantRang {
			t.Errorf("%s %s: %d %s, hastened %v, want %d %s", path, body, status, text, b.rang, want, wantRang)
		}
		if n := testutil.ToFloat64(metrics.webhooks.WithLabelValues(outcome)); n != 1 {
			t.Errorf("%s %s: counted %v as %s", path, body, n, outcome)
		}
	}
	f("/webhook", hookV1, 200, "[race/order_1]", "known")
	f("/webhook/race", hookV1, 200, "[race/order_1]", "known")
	f("/webhook", hookV2, 200, "[race/order_1]", "known")
	f("/webhook", another, 200, "[race/order_9]", "unknown")
	f("/webhook/", hookV1, 200, "[race/order_1]", "known")
	f("/webhook",
		`{"type":"BillingKey.Issued","timestamp":"2026-12-01T00:00:00Z","data":{"billingKey":"k","storeId":"s"}}`, 200,
		"[]", "unknown")
	f("/webhook/swim", hookV1, 404, "[]", "refused")
	f("/webhook", `{"imp_uid":"imp_1"}`, 400, "[]", "refused")
	f("/webhook", `[]`, 400, "[]", "refused")
}

// The order may be in both stores. It is passed on to the shop, whose other store it may be.
func TestAWebhookOfAnotherStoreHastensNothing(t *testing.T) {
	t.Parallel()
	f := func(id portone.Store, body, wantRang, outcome string) {
		t.Helper()
		b, metrics := &bell{}, newMetrics()
		s := start(t, &store{hasten: b.hasten, shop: id}, nil, metrics)
		status, text := s.post(t, "/webhook", body)
		if n := testutil.ToFloat64(metrics.webhooks.WithLabelValues(outcome)); status != 200 || n != 1 ||
			fmt.Sprint(b.rang) != wantRang {
			t.Errorf("store %q: %d %s, hastened %v, counted %v as %s", id, status, text, b.rang, n, outcome)
		}
	}
	f("s", hookV2, "[race/order_1]", "known")
	f("t", hookV2, "[]", "other_store")
	f("t", hookV1, "[race/order_1]", "known") // it names none
	f("", hookV2, "[race/order_1]", "known")
}

func TestAWebhookThatIsNoneIsNotTaken(t *testing.T) {
	t.Parallel()
	b := &bell{}
	s := start(t, &store{hasten: b.hasten}, nil, newMetrics())
	response, err := s.client.Get("http://gate/webhook")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 405 || response.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d", response.StatusCode)
	}
	request, err := http.NewRequest(http.MethodPost, "http://gate/webhook", strings.NewReader(hookV1))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Content-Encoding", "gzip")
	if response, err = s.client.Do(request); err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode != 400 ||
		!strings.Contains(string(text), "Content-Encoding") {
		t.Errorf("compressed: %d %s", response.StatusCode, text)
	}
	for _, path := range []string{"/webhooks", "/webhookrace", "/web"} {
		if status, _ := s.post(t, path, hookV1); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if len(b.rang) > 0 {
		t.Errorf("hastened %v", b.rang)
	}
}

// V1 signs nothing, and is looked up; what V2 has not signed is refused.
func TestOnlyWebhooksThatV2SignedAreTakenOfIt(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	secrets, err := portone.ParseSecrets(secret)
	if err != nil {
		t.Fatal(err)
	}
	b := &bell{}
	s := start(t, &store{hasten: b.hasten, secrets: secrets}, nil, newMetrics())
	if status, _ := s.post(t, "/webhook", hookV1); status != 200 {
		t.Errorf("V1: %d", status)
	}
	if status, body := s.post(t, "/webhook", hookV2); status != 403 || !strings.Contains(body, "bad_signature") {
		t.Errorf("V2 without a signature: %d %s", status, body)
	}
	if status, body := s.post(t, "/webhook", strings.Replace(hookV2, "order_1", "", 1)); status != 400 ||
		!strings.Contains(body, "bad_request") {
		t.Errorf("V2 without a signature, that cannot be read: %d %s", status, body)
	}
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	f := func(at time.Time, body string, want int) {
		t.Helper()
		signature, err := hook.Sign("msg_1", at, []byte(hookV2))
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequest(http.MethodPost, "http://gate/webhook", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("webhook-id", "msg_1")
		request.Header.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
		request.Header.Set("webhook-signature", signature)
		response, err := s.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, _ := io.ReadAll(response.Body); response.StatusCode != want {
			t.Errorf("%v %s: %d %s, want %d", at, body, response.StatusCode, text, want)
		}
	}
	f(time.Now(), hookV2, 200)
	f(time.Now(), strings.Replace(hookV2, "order_1", "order_2", 1), 403)
	f(time.Now().Add(-6*time.Minute), hookV2, 403) // sent again by somebody else
	if got := fmt.Sprint(b.rang); got != "[race/order_1 race/order_1]" {
		t.Errorf("hastened %s", got)
	}
}

func TestAWebhookFromElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	b := &bell{}
	s := start(t, &store{
		hasten:  b.hasten,
		sources: Sources{Allowed: []netip.Prefix{netip.MustParsePrefix("52.78.100.19/32")}},
	}, nil, newMetrics())
	if status, body := s.post(t, "/webhook", hookV1); status != 403 || !strings.Contains(body, "not_allowed") ||
		len(b.rang) > 0 {
		t.Errorf("%d %s, hastened %v", status, body, b.rang)
	}
}

// A webhook that could not be made use of is answered so that PortOne sends it
// again.
func TestAWebhookIsSentAgainWhereItMust(t *testing.T) {
	t.Parallel()
	b := &bell{err: errors.New("Redis is away")}
	s := start(t, &store{hasten: b.hasten}, nil, newMetrics())
	if status, body := s.post(t, "/webhook", hookV1); status != 503 || !strings.Contains(body, "unavailable") {
		t.Errorf("%d %s", status, body)
	}

	taker := &taker{}
	s = start(t, &store{hasten: (&bell{}).hasten, forward: taker}, nil, newMetrics())
	f := func(hook string, known bool, want int) {
		t.Helper()
		status, body := s.post(t, "/webhook", hook)
		if got := taker.hook; status != want || string(got.Body) != hook || got.Known != known ||
			got.Headers["Content-Type"] != "application/json" {
			t.Errorf("%d %s, the shop has %s %+v", status, body, got.Body, got)
		}
	}
	f(another, false, 200)
	f(hookV1, true, 200)
	taker.err = errors.New("it is away")
	f(hookV1, true, 503)
}

// A shop that does not answer costs only the webhooks that are passed on to it:
// each order is looked at all the same, at once.
func TestAShopThatDoesNotAnswerHoldsNoLookUpBack(t *testing.T) {
	t.Parallel()
	const strangers = 2 * maxWebhooks
	b, hung := &bell{}, make(chan struct{})
	s := start(t, &store{hasten: b.hasten, forward: &taker{hung: hung}}, nil, newMetrics())
	var waiting sync.WaitGroup
	for range strangers {
		waiting.Go(func() { s.post(t, "/webhook", another) })
	}
	answered := make(chan struct{})
	waiting.Go(func() { s.post(t, "/webhook", hookV1) })
	go func() { waiting.Wait(); close(answered) }()
	for rang := 0; rang < strangers+1; {
		b.mu.Lock()
		rang = len(b.rang)
		b.mu.Unlock()
		select {
		case <-answered:
			t.Fatalf("only %d of %d orders were looked at", rang, strangers+1)
		case <-time.After(time.Millisecond):
		}
	}
	close(hung)
	<-answered
}

// taker takes what is passed on to the shop, once hung is closed.
type taker struct {
	hook shop.Hook
	err  error
	hung chan struct{}
}

func (s *taker) Forward(_ context.Context, hook shop.Hook) error {
	if s.hung != nil {
		<-s.hung
		return nil
	}
	hook.Body = bytes.Clone(hook.Body)
	s.hook = hook
	return s.err
}
