package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// What a gate has answered 200 it answers 200 again, though the sale's settings have changed
// since, or the link has run out. Nothing else of the kind passes.
func TestWhatWasAnsweredOnceIsAnsweredAgain(t *testing.T) {
	t.Parallel()
	const key = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	keys, err := gate.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	sale := func(settings string) string {
		return "sales: [{name: race, closes_at: 2100-01-01T00:00:00Z, hold: 1h, " + settings + "}]"
	}
	const open, unit = "opens_at: 2020-01-01T00:00:00Z, accept: [v1], ",
		"skus: [{name: unit, stock: 1000, price: 1000}]"
	for name, test := range map[string]struct {
		sale    string // what it becomes
		expires time.Duration
		want    string
	}{
		"the link has run out": {sale(open + unit), -time.Minute, "expired_link"},
		"the price is another": {
			sale(open + "skus: [{name: unit, stock: 1000, price: 2000}]"), time.Hour, "amount_mismatch",
		},
		"buyers are limited now": {sale(open + "per_buyer: 1, " + unit), time.Hour, "bad_request"},
		"it opens later": {
			sale("opens_at: 2099-01-01T00:00:00Z, accept: [v1], " + unit),
			time.Hour, "not_open",
		},
		"its version is not accepted": {
			sale("opens_at: 2020-01-01T00:00:00Z, accept: [v2], " + unit), time.Hour,
			"bad_request",
		},
	} {
		for _, mode := range []string{"with a mirror", "without one"} {
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				redis := redistest.Start(t)
				applySale(t, redis.URL(), sale(open+unit))
				args := []string{"--redis", redis.URL(), "--signing-key", key}
				if mode == "without one" {
					args = append(args, "--no-mirror")
				}
				g, c := startGate(t, args...), newCaller(t)
				send := func(order, attempt string, expires time.Duration) string {
					link, err := keys.URL("http://gate", gate.Offer{
						Sale: "race", Items: "unit", Order: order, Expires: time.Now().Add(expires),
					})
					if err != nil {
						t.Fatal(err)
					}
					return c.post(g.listen, strings.TrimPrefix(link, "http://gate"), "application/json",
						v1(order, attempt)).code
				}
				if got := send("known", "imp_1", time.Hour); got != "held" {
					t.Fatalf("the first confirm: %s", got)
				}
				applySale(t, redis.URL(), test.sale)
				if test.expires > 0 {
					await(t, "the new settings to be read", func() error {
						if _, read := g.logged("a sale has new settings"); !read {
							return errors.New("they are not")
						}
						return nil
					})
				}
				if got := send("other", "imp_1", test.expires); got != test.want {
					t.Errorf("another order: %s, want %s", got, test.want)
				}
				if got := send("known", "imp_1", test.expires); got != "held" {
					t.Errorf("the known order: %s", got)
				}
				if got := send("known", "imp_2", test.expires); got != test.want {
					t.Errorf("another attempt of the known order: %s, want %s", got, test.want)
				}
				if r := readStatus(t, redis.URL(), "race"); r.Orders.Held != 1 || r.SKUs[0].Held != 1 {
					t.Errorf("%+v, %+v", r.Orders, r.SKUs[0])
				}
			})
		}
	}
}
