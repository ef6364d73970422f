package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/store"
)

// closedSale is a sale file of a sale that is over.
func closedSale(name string) string {
	return strings.Replace(openSale(name, 10), "2100-01-01", "2021-01-01", 1)
}

// archiveOf makes a sale with a paid and a released order, and returns its archive.
func archiveOf(t *testing.T) (text string, redis *redistest.Server) {
	t.Helper()
	redis = redistest.Start(t)
	p := serveSale(t, redis.URL(), openSale("race", 10))
	for i, state := range []string{"paid", "released"} {
		if a := newCaller(t).confirm(p.listen, "race", order(i)); a.code != "held" {
			t.Fatalf("%+v", a)
		}
		status, text := p.ask(t, "", "POST", "/v1/sales/race/orders/"+order(i)+"/report",
			fmt.Sprintf(`{"state":%q}`, state))
		if status != 200 {
			t.Fatal(status, text)
		}
	}
	p.stop(t)
	applySale(t, redis.URL(), closedSale("race"))
	path := filepath.Join(t.TempDir(), "race.jsonl")
	command(t, "archive", "--redis", redis.URL(), "--to", path, "race")
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
	f("of a later version", strings.Replace(whole, `"version":1`, `"version":2`, 1),
		"it is not the head of an archive of version 1")
	f("a changed amount", strings.Replace(whole, `"amount":1000`, `"amount":1`, 1), "it was changed")
	f("a changed sum", strings.Replace(whole, `"sha256":"`, `"sha256":"0`, 1), "it was changed")
	f("an order lost", without(1), "it was changed")
	f("a ledger entry lost", without(4), "does not follow entry")
	f("an order behind the ledger", strings.Join(lines[:last], "")+lines[1]+lines[last]+"\n", "it is not in its place")
	f("a second head", lines[0]+whole, "it is not in its place")
	f("what is no JSON", lines[0]+"x\n"+strings.Join(lines[1:], ""), "line 2 of the archive cannot be read")
	f("what is unknown", lines[0]+`{"refund":{}}`+"\n"+strings.Join(lines[1:], ""),
		"line 2 of the archive cannot be read")
	f("more behind the end", whole+"x", "more behind the archive's end")
	f("other counts", strings.Replace(whole, `"end":{"orders":2`, `"end":{"orders":3`, 1),
		"the archive ends with 3 orders")
}

// A sale of which somebody is still to be paid back or told is not removed, and
// one that has changed since is not what was archived.
func TestASaleThatIsStillNeededIsNotRemoved(t *testing.T) {
	t.Parallel()
	_, redis := archiveOf(t)
	s := openStore(t, redis.URL())
	drop := func() gate.Drop {
		state, err := s.Sale(t.Context(), "race")
		if err != nil {
			t.Fatal(err)
		}
		return gate.Drop{Archived: &gate.Archived{Run: state.Run, Seq: state.Seq}}
	}
	c := archiveCommand{Sale: "race"}
	f := func(what string, drop gate.Drop, want string) {
		t.Helper()
		err := c.removable(t.Context(), s, drop)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	f("with nobody left", drop(), "")
	before := drop()
	applySale(t, redis.URL(),
		strings.Replace(closedSale("race"), "hold:", "notify: 'http://127.0.0.1:9/told', hold:", 1))
	f("with a shop to be told", drop(),
		"6 ledger entries that the shop was not told of; to drop it all the same add --drop-undelivered")
	told := drop()
	told.Undelivered = true
	f("with a shop that need not be told", told, "")
	applySale(t, redis.URL(), closedSale("race"))
	f("changed since", before, "archive it again")
	redis.Do(t, "HSET", "fg:{race}", "orders", "0,0,1,1,0,0,2")
	f("with refunds due", drop(), "2 payments are to be refunded")
}

func openStore(t *testing.T, redis string) *store.Store {
	t.Helper()
	s, err := store.Open(redis,
		store.Deps{Log: cmdline.NewLog(os.Stderr, "text", 0)}, store.Options{Who: "test", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
