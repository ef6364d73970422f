package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

// A token in a URL of the shop's stands in no log and in no output of a command.
func TestASecretInAShopsURLIsShownNowhere(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request,
	) {
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(shop.Close)
	redis := redistest.Start(t).URL()
	sale := func(token string) string {
		return testkit.SaleFile(t, notifyingSale("race", shop.URL+"/changes?token="+token))
	}
	said := []string{
		command(t, "apply", "--redis", redis, "--open-now", "-f", sale("s3cret-1")),
		command(t, "apply", "--redis", redis, "-f", sale("s3cret-2")),
		command(t, "apply", "--redis", redis, "-f", sale("s3cret-3"), "--dry-run"),
	}
	for _, out := range said[1:] {
		want := "notify: " + shop.URL + "/changes?… -> " + shop.URL + "/changes?… (another query)"
		if !strings.Contains(out, want) {
			t.Errorf("apply says %q, want %q", out, want)
		}
	}
	down := "http://127.0.0.1:1/webhooks?token=s3cret-4"
	gate := startGate(t, "--redis", redis, "--allow-unsigned", "--sales", sale("s3cret-5"),
		"--notify-secret", notifySecret,
		"--forward-webhooks", down, "--log-level", "debug")
	caller := newCaller(t)
	if a := caller.confirm(gate.listen, "race", "order-1"); a.code != "held" {
		t.Fatalf("%+v", a)
	}
	caller.post(gate.listen, "/webhook", "application/json",
		`{"imp_uid":"imp_order-1","merchant_uid":"order-1","status":"paid"}`)
	await(t, "the change to be listed",
		func() error { return atLeast(t, gate, `flashgate_notify_stuck_orders{sale="race"}`, 1) })
	for _, args := range [][]string{
		{"undelivered", "race"},
		{"undelivered", "race", "--json"},
		{"ledger", "race"},
		{"status"},
		{"status", "race"},
		{"status", "race", "--json"},
	} {
		said = append(said, command(t, append(args, "--redis", redis)...))
	}
	gate.stop(t)
	for _, text := range append(said, gate.stdout.String(), gate.stderr.String()) {
		if strings.Contains(text, "s3cret") {
			t.Errorf("it is shown: %s", text)
		}
	}
	if _, ok := gate.logged("a sale differs from the file and is left as it is: flashgate apply would change it"); !ok {
		t.Error("that the file has another URL is not told")
	}
}
