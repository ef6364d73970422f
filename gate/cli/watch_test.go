package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

func TestASaleThatTakesLessThanPortOneCanSendIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	sales := map[string]*gate.Settings{"says": {Accept: []string{"v2"}}, "silent": {}}
	w := &watcher{
		sales:   func() map[string]*gate.Settings { return sales },
		untaken: (*portone.Secrets)(nil).Untaken(portone.Lookups{}),
		takesV1: func(accept []string) bool { return slices.Contains(accept, "v1") }, currency: "KRW",
		log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	f := func(what string, want int) {
		t.Helper()
		log.Reset()
		w.lookAtSales()
		w.lookAtSales()
		text := log.String()
		if strings.Count(text, "level=WARN") != want || strings.Count(text, "sale=silent") != want ||
			strings.Count(text, "accept: [v1], or [v1, v2] for both") != want {
			t.Errorf("%s: the log has\n%s", what, text)
		}
	}
	f("at first", 1)
	sales = map[string]*gate.Settings{"silent": {}}
	f("with other settings", 1)
	sales = map[string]*gate.Settings{"silent": {Accept: []string{"v1"}}}
	f("once it says", 0)
	w.untaken = nil
	sales = map[string]*gate.Settings{"silent": {}}
	f("where all is taken", 0)

	g := func(currency, accept string, want int) {
		t.Helper()
		w.currency, sales = currency, map[string]*gate.Settings{"race": {Accept: []string{accept}}}
		log.Reset()
		w.lookAtSales()
		w.lookAtSales()
		if text := log.String(); strings.Count(text, "a sale takes amounts that it cannot be sold in") != want {
			t.Errorf("%s by %s: the log has\n%s", currency, accept, text)
		}
	}
	g("KRW", "v1", 0)
	g("USD", "v1", 1)
	g("USD", "v2", 0)
}

// V1's confirms of 10.50 are refused: who sells in dollars must hear of it before buyers do.
func TestApplyNotesAmountsThatCannotBeSoldIn(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	f := func(accept, want string, environ ...string) {
		t.Helper()
		sale := strings.Replace(openSale("race", 10), "hold: 1h", "hold: 1h, accept: ["+accept+"]", 1)
		got := commandIn(t, environ, "apply", "--open-now", "--redis", redis.URL(), "-f", testkit.SaleFile(t, sale))
		if strings.Contains(got, "with decimals") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%s with %q: apply prints\n%s", accept, environ, got)
		}
	}
	f("v1", "")
	f("v1", "", "FLASHGATE_CURRENCY=JPY")
	f("v1", "note: V1 writes amounts in USD with decimals", "FLASHGATE_CURRENCY=USD")
	f("v2", "", "FLASHGATE_CURRENCY=USD")
}

func TestAGateWarnsOfASaleThatDoesNotSayWhatItTakes(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	g := serveSale(t, redis.URL(), openSale("race", 10), "--portone-v2-secret", "secret-for-tests-only")
	await(t, "the warning", func() error {
		record, ok := g.logged("a sale takes less than PortOne can send; name in its file what your shop " +
			"uses, by accept")
		if !ok || record["sale"] != "race" || !strings.Contains(record["refused"].(string), "accept: [v1]") {
			return errors.New("there is none")
		}
		return nil
	})
	if a := newCaller(t).confirm(g.listen, "race", "order-1"); a.status != 400 || a.code != "bad_request" {
		t.Errorf("%+v", a)
	}
}

func TestApplyNotesWhatGatesOfThisEnvironmentDoNotTake(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	f := func(sale, want string, environ ...string) {
		t.Helper()
		got := commandIn(t, environ, "apply", "--open-now", "--redis", redis.URL(), "-f", testkit.SaleFile(t, sale))
		if strings.Contains(got, "note:") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("with %q apply prints\n%s", environ, got)
		}
	}
	silent := openSale("race", 10)
	says := strings.Replace(silent, "hold: 1h", "hold: 1h, accept: [v2]", 1)
	f(silent, "")
	f(silent, "accept: [v1], or", "FLASHGATE_WEBHOOK_SECRET=whsec_x")
	f(silent, "accept: [v1], or", "FLASHGATE_WEBHOOK_SECRET_FILE=x")
	f(silent, "accept: [v1], or", "FLASHGATE_PORTONE_V2_SECRET=x")
	f(silent, "accept: [v2], or", "FLASHGATE_PORTONE_V1_KEY=x", "FLASHGATE_PORTONE_V1_SECRET_FILE=x")
	f(silent, "", "FLASHGATE_PORTONE_V1_KEY=x", "FLASHGATE_PORTONE_V1_SECRET=x", "FLASHGATE_PORTONE_V2_SECRET_FILE=x")
	f(says, "", "FLASHGATE_WEBHOOK_SECRET=whsec_x")
}
