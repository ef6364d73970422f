package cli

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
)

const (
	oldKey = "old:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	newKey = "new:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
)

func sign(t *testing.T, key, order string, more ...string) (query string) {
	t.Helper()
	link := command(t, append([]string{
		"sign", "--signing-key", key, "--base-url", "https://gate.example.com", "--sale", "race",
		"--items", "unit", "--order", order,
	}, more...)...)
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil || u.Path != "/confirm/race" {
		t.Fatalf("the link is %q: %v", link, err)
	}
	return u.RawQuery
}

// Where it is known in which Redis the sale is, no link is signed that gates would
// refuse. Without, and while Redis is away, links are made as ever.
func TestNoLinkIsSignedForWhatThereIsNot(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), openSale("race", 10))
	f := func(status int, want, redis, sale, items string) {
		t.Helper()
		args := []string{
			"sign", "--signing-key", newKey, "--base-url", "https://gate.example.com", "--order", "o",
			"--amount", "1000", "--sale", sale, "--items", items,
		}
		var environ []string
		if redis != "" {
			environ = append(environ, "FLASHGATE_REDIS="+redis)
		}
		got, out, said := try(t, environ, args...)
		if got != status || !strings.Contains(said, want) || want == "" && said != "" ||
			strings.Contains(out, "https://") != (status == 0) {
			t.Errorf("%s of %s by %q: status %d, %q, %q; want %d, %q", items, sale, redis, got, out, said, status, want)
		}
	}
	f(0, "", redis.URL(), "race", "unit")
	f(1, "there is no sale rase: did you mean race? flashgate apply creates one", redis.URL(), "rase", "unit")
	f(1, "sale race has no SKU uint: did you mean unit?", redis.URL(), "race", "unit,uint:2")
	f(0, "", "", "rase", "uint")
	f(0, "", "embedded", "rase", "uint")
	f(0, "warning: the link is made without a look at the sale: ", "redis://127.0.0.1:1", "rase", "uint")
	f(1, "--redis: ", "127.0.0.1:6379", "race", "unit")
	command(t, "delete", "--redis", redis.URL(), "race")
	f(1, "sale race was deleted at ", redis.URL(), "race", "unit")
	redis.Do(t, "FLUSHALL")
	redis.Do(t, "SADD", "fg:sales", "race")
	f(0, "warning: the link is made without a look at the sale: sale race is missing", redis.URL(), "race", "unit")
	redis.Stop()
	began := time.Now()
	f(0, "warning: the link is made without a look at the sale: ", redis.URL(), "race", "unit")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it waits %s for a Redis that is silent", took)
	}
}

func TestOnlyWhatTheShopSignedIsSold(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), openSale("race", 10))
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte(newKey+",\n"+oldKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	gate := startGate(t, "--redis", redis.URL(), "--signing-key-file", keys)
	caller := newCaller(t)
	f := func(want, query, order string) {
		t.Helper()
		a := caller.post(gate.listen, "/confirm/race?"+query, "application/json", v1(order, "imp_"+order))
		if a.err != nil || a.code != want {
			t.Errorf("%s for %s: got %d %s %v, want %s", query, order, a.status, a.code, a.err, want)
		}
	}
	f("held", sign(t, newKey, "a", "--buyer", "김 1", "--amount", "1000"), "a")
	f("held", sign(t, oldKey, "b"), "b")
	f("bad_signature", sign(t, newKey, "a"), "c")
	f("bad_signature", strings.Replace(sign(t, newKey, "c"), "items=unit", "items=unit:2", 1), "c")
	f("bad_signature", sign(t, "other:"+newKey[4:], "c"), "c")
	f("bad_signature", sign(t, "new:"+oldKey[4:], "c"), "c")
	f("bad_signature", "items=unit", "c")
	f("amount_mismatch", sign(t, newKey, "c", "--amount", "999"), "c")
	f("bad_request", sign(t, newKey, "c")+"&items=unit", "c")
	if s := readStatus(t, redis.URL(), "race"); s.Orders.Held != 2 {
		t.Errorf("%d orders are held, want 2", s.Orders.Held)
	}
	if log := gate.stderr.String(); strings.Contains(log, newKey[4:]) || strings.Contains(log, "not signed") {
		t.Errorf("the log shows a key, or says that links are not signed:\n%s", log)
	}
}
