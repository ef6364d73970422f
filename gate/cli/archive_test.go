package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/store"
)

// closedSale is a sale file of a sale that is over.
func closedSale(name string) string {
	return strings.Replace(openSale(name, 10), "2100-01-01", "2021-01-01", 1)
}

// archiveOf makes a sale with a paid and a released order, and returns its archive.
func archiveOf(t *testing.T) (text, redis string) {
	t.Helper()
	redis = redistest.Start(t).URL()
	p := serveSale(t, redis, openSale("race", 10))
	for i, state := range []string{"paid", "released"} {
		if a := newCaller(t).confirm(p.listen, "race", order(i)); a.code != "held" {
			t.Fatalf("%+v", a)
		}
		if status, text := p.ask(t, "", "POST", "/v1/sales/race/orders/"+order(i)+"/report", fmt.Sprintf(`{"state":%q}`, state)); status != 200 {
			t.Fatal(status, text)
		}
	}
	p.stop(t)
	applySale(t, redis, closedSale("race"))
	path := filepath.Join(t.TempDir(), "race.jsonl")
	command(t, "archive", "--redis", redis, "--to", path, "race")
	read, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(read), redis
}

func TestADamagedArchiveIsFound(t *testing.T) {
	t.Parallel()
	whole, _ := archiveOf(t)
	lines := strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n")
	f := func(what, text, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "race.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := checkArchive(path, func(string, int64) {})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	without := func(i int) string { return strings.Join(lines[:i], "") + strings.Join(lines[i+1:], "") + "\n" }
	last := len(lines) - 1
	f("empty", "", "cut off in line 1")
	f("cut off in a line", whole[:len(whole)/2], "cut off in line")
	f("cut off after a line", strings.Join(lines[:3], ""), "cut off in line 4")
	f("no head", without(0), "line 1 of the archive: it is not the head")
	f("only an end", lines[last]+"\n", "the archive has no head")
	f("of a later version", strings.Replace(whole, `"version":1`, `"version":2`, 1), "it is not the head of an archive of version 1")
	f("a changed amount", strings.Replace(whole, `"amount":1000`, `"amount":1`, 1), "it was changed")
	f("a changed sum", strings.Replace(whole, `"sha256":"`, `"sha256":"0`, 1), "it was changed")
	f("an order lost", without(1), "it was changed")
	f("a ledger entry lost", without(4), "does not follow entry")
	f("an order behind the ledger", strings.Join(lines[:last], "")+lines[1]+lines[last]+"\n", "it is not in its place")
	f("a second head", lines[0]+whole, "it is not in its place")
	f("what is no JSON", lines[0]+"x\n"+strings.Join(lines[1:], ""), "line 2 of the archive cannot be read")
	f("what is unknown", lines[0]+`{"refund":{}}`+"\n"+strings.Join(lines[1:], ""), "line 2 of the archive cannot be read")
	f("more behind the end", whole+"x", "more behind the archive's end")
	f("other counts", strings.Replace(whole, `"end":{"orders":2`, `"end":{"orders":3`, 1), "the archive ends with 3 orders")
}

// What was archived is not what is removed if the sale has changed since.
func TestASaleThatChangedSinceIsNotRemoved(t *testing.T) {
	t.Parallel()
	_, redis := archiveOf(t)
	s := openStore(t, redis)
	state, err := s.Sale(t.Context(), "race")
	if err != nil {
		t.Fatal(err)
	}
	command(t, "pause", "--redis", redis, "race")
	if err := s.DeleteAt(t.Context(), "kim", "race", state.Seq); err == nil || err.Error() != gate.ErrChanged.Error() {
		t.Errorf("got %v, want %v", err, gate.ErrChanged)
	}
	if err := s.DeleteAt(t.Context(), "kim", "race", state.Seq+1); err != nil {
		t.Error(err)
	}
}

// A sale of which somebody is still to be paid back or told is not removed.
func TestASaleThatIsStillNeededIsNotRemoved(t *testing.T) {
	t.Parallel()
	_, redis := archiveOf(t)
	s := openStore(t, redis)
	applySale(t, redis, strings.Replace(closedSale("race"), "hold:", "notify: 'http://127.0.0.1:9/told', hold:", 1))
	state, err := s.Sale(t.Context(), "race")
	if err != nil {
		t.Fatal(err)
	}
	c := archiveCommand{Sale: "race"}
	if err := c.removable(t.Context(), s, &state); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("to be told of %d ledger entries", state.Seq)) {
		t.Errorf("with a shop to be told: %v", err)
	}
	state.Orders.Refunds = 2
	if err := c.removable(t.Context(), s, &state); err == nil || !strings.Contains(err.Error(), "2 payments are refund due") {
		t.Errorf("with refunds due: %v", err)
	}
	applySale(t, redis, closedSale("race"))
	state.Orders.Refunds = 0
	if err := c.removable(t.Context(), s, &state); err != nil {
		t.Errorf("with nobody left: %v", err)
	}
}

func openStore(t *testing.T, redis string) *store.Store {
	t.Helper()
	s, err := store.Open(redis, store.Options{Who: "test", Timeout: 10 * time.Second, Log: newLog(os.Stderr, "text", 0)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
