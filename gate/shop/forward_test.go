package shop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate/shop"
)

// forwarderTo returns a forwarder that runs until the test ends, and a way to
// end it before.
func forwarderTo(t *testing.T, url string) (f *shop.Forwarder, end func()) {
	t.Helper()
	f = shop.NewForwarder(url, shop.NewMetrics(prometheus.NewRegistry()))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	end = func() { stop(); running.Wait() }
	t.Cleanup(end)
	return f, end
}

func TestAWebhookIsPassedOnAsItCame(t *testing.T) {
	t.Parallel()
	status, got := 204, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path + " " + r.Header.Get("Webhook-Signature") + " " + string(body)
		if status == 302 {
			http.Redirect(w, r, "/elsewhere", status)
			return
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	f, _ := forwarderTo(t, server.URL+"/portone")
	forward := func(want string) {
		t.Helper()
		err := f.Forward(t.Context(),
			shop.Hook{Headers: map[string]string{"Webhook-Signature": "v1,abc"}, Body: []byte(`{"a":1}`)})
		switch {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("got %v, want %s", err, want)
		}
		if got != `POST /portone v1,abc {"a":1}` {
			t.Errorf("the shop was sent %s", got)
		}
	}
	forward("")
	for code, want := range map[int]string{500: "it answered 500", 404: "it answered 404", 302: "it answered 302"} {
		status = code
		forward(want)
	}
	server.Close()
	forward("pass a webhook on to the shop")
	err := f.Forward(t.Context(), shop.Hook{})
	if err == nil || strings.Contains(err.Error(), server.URL) {
		t.Errorf("the error shows the shop's URL, which may have a secret in it: %v", err)
	}
}

// silent is a shop that takes webhooks of the order "known" and answers no other.
type silent struct {
	*httptest.Server
	asked chan string // what it does not answer
	taken chan string
	open  chan struct{} // closed: it answers
}

func startSilent(t *testing.T) *silent {
	s := &silent{asked: make(chan string, 10_000), taken: make(chan string, 10_000), open: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "known" {
			s.asked <- string(body)
			select {
			case <-s.open:
			case <-r.Context().Done():
				return
			}
		}
		s.taken <- string(body)
	}))
	t.Cleanup(s.Close)
	return s
}

// flood passes on webhooks of so many unknown orders at once.
func flood(t *testing.T, f *shop.Forwarder, orders int) (failed func() []error) {
	var mu sync.Mutex
	var sending sync.WaitGroup
	var errs []error
	for i := range orders {
		sending.Go(func() {
			order := fmt.Sprint("stranger", i)
			if err := f.Forward(t.Context(), shop.Hook{Order: order, Body: []byte(order)}); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	return func() []error { sending.Wait(); return errs }
}

// Strangers may send whatever they like: a known order's webhook passes them.
func TestWebhooksOfUnknownOrdersAreForwardedLast(t *testing.T) {
	t.Parallel()
	s := startSilent(t)
	f, _ := forwarderTo(t, s.URL)
	failed := flood(t, f, 2000)
	for range 8 { // every worker that takes them has one
		<-s.asked
	}
	if err := f.Forward(t.Context(), shop.Hook{Order: "known", Known: true, Body: []byte("known")}); err != nil {
		t.Error(err)
	}
	close(s.open)
	full := 0
	for _, err := range failed() {
		if !errors.Is(err, shop.ErrForwardsFull) {
			t.Error(err)
		}
		full++
	}
	if full == 0 || full > 2000-512 {
		t.Errorf("%d of 2,000 webhooks were refused at once, want most of those for which the queue has no room", full)
	}
}

func TestOneOrdersWebhooksDoNotFillTheQueue(t *testing.T) {
	t.Parallel()
	s := startSilent(t)
	f, _ := forwarderTo(t, s.URL)
	const more = 100
	refused := make(chan error, more)
	var sending sync.WaitGroup
	for range more {
		sending.Go(func() {
			err := f.Forward(t.Context(), shop.Hook{Order: "loud", Known: true, Body: []byte("loud")})
			if err != nil {
				refused <- err
			}
		})
	}
	for range more - 4 {
		if err := <-refused; !errors.Is(err, shop.ErrForwardsFull) {
			t.Error(err)
		}
	}
	if err := f.Forward(t.Context(), shop.Hook{Order: "known", Known: true, Body: []byte("known")}); err != nil {
		t.Error(err)
	}
	close(s.open)
	sending.Wait()
	if len(refused) > 0 {
		t.Errorf("more than %d of %d webhooks of one order were refused: %v", more-4, more, <-refused)
	}
	if err := f.Forward(t.Context(), shop.Hook{Order: "loud", Known: true, Body: []byte("loud")}); err != nil {
		t.Errorf("after they were passed on there is room again: %v", err)
	}
}

// A drain waits a second for a shop that does not answer, and then lets everybody
// know.
func TestAnEndingForwarderLetsNobodyWait(t *testing.T) {
	t.Parallel()
	s := startSilent(t)
	f, end := forwarderTo(t, s.URL)
	const waiting = 100
	failed := flood(t, f, waiting)
	<-s.asked
	end()
	if errs := failed(); len(errs) != waiting {
		t.Errorf("%d of %d webhooks have an error", len(errs), waiting)
	}
	if err := f.Forward(t.Context(), shop.Hook{}); err == nil {
		t.Error("after the end, a webhook is called passed on")
	}
	var none *shop.Forwarder
	if err := none.Forward(t.Context(), shop.Hook{}); err != nil {
		t.Error(err)
	}
	none.Run(t.Context())
}
