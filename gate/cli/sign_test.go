package cli

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
