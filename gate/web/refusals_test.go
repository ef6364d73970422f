package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// written posts to a listener with a refusal log, and returns the log's lines,
// without their times.
func written(t *testing.T, s *store, post func(*site)) []string {
	t.Helper()
	metrics := newMetrics()
	var out bytes.Buffer
	log := NewRefusalLog(&out, metrics, slog.New(slog.DiscardHandler))
	post(start(t, s, log, metrics))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	log.Run(ctx)
	var lines []string
	for line := range strings.Lines(out.String()) {
		var stamped struct{ Time time.Time }
		if err := json.Unmarshal([]byte(line), &stamped); err != nil || time.Since(stamped.Time) > time.Minute {
			t.Errorf("%s: %v", line, err)
		}
		_, rest, _ := strings.Cut(line, ",")
		lines = append(lines, "{"+strings.TrimSpace(rest))
	}
	return lines
}

func TestRefusalsAreWrittenForCustomerService(t *testing.T) {
	t.Parallel()
	lines := written(t, &store{decide: always(gate.SoldOut)}, func(s *site) {
		s.post(t, "/confirm/race?items=full:2&buyer=alice", v1)
		s.post(t, "/confirm/race?items=full", `{"merchant_uid":"order_2"}`)
		s.post(t, "/confirm/race?items=full,half&items=full", v1)
		s.post(t, "/confirm/race?items=full,extra:2,half", v1)
		s.post(t, "/confirm/race?items=full&amount=999", v1)
		s.post(t, "/confirm/other?items=full&buyer=bob", v1)
		s.post(t, "/confirm/"+strings.Repeat("x", 300)+"%0Ay?items=%E2%80%AEfull%00%FF", "{")
	})
	want := []string{
		`{"sale":"race","order":"order_1","attempt":"imp_1","buyer":"alice","items":"full:2","lines":[{"sku":"full","quantity":2}],"amount":1000,"code":"sold_out"}`,
		`{"sale":"race","order":"order_2","items":"full","code":"bad_request","field":"imp_uid","want":"must be 1 to 64 bytes of printable text, and not one or two dots alone"}`,
		`{"sale":"race","order":"order_1","attempt":"imp_1","items":"full,half","amount":1000,"code":"bad_request","field":"items","want":"must be given once"}`,
		`{"sale":"race","order":"order_1","attempt":"imp_1","items":"full,extra:2,half","amount":1000,"code":"unknown_sku","sku":"extra"}`,
		`{"sale":"race","order":"order_1","attempt":"imp_1","items":"full","lines":[{"sku":"full","quantity":1}],"amount":1000,"link_amount":"999","code":"amount_mismatch","cause":"amount_not_links","expected":999}`,
		`{"sale":"other","order":"order_1","attempt":"imp_1","buyer":"bob","items":"full","amount":1000,"code":"unknown_sale"}`,
		`{"sale":"` + strings.Repeat("x", gate.MaxLink) + `…","items":"` + "\ufffdfull\ufffd\ufffd" +
			`","code":"unknown_sale"}`,
	}
	if got, want := strings.Join(lines, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Everything that the link says is there to be compared with what the shop has
// signed; but not the signature, with which anybody could use it.
func TestARefusedLinkIsWrittenWithoutItsSignature(t *testing.T) {
	t.Parallel()
	keys := linkKeys(t)
	link := signedPath(t, keys,
		gate.Offer{Items: "full", Buyer: "alice", Order: "order_2", Amount: gate.Amount{Value: 1000, Known: true}})
	lines := written(t, &store{decide: always(gate.Held), keys: keys}, func(s *site) { s.post(t, link, v1) })
	want := `{"sale":"race","order":"order_1","attempt":"imp_1","buyer":"alice","items":"full","amount":1000,"link_amount":"1000",` +
		`"exp":"4102444800","kid":"k1","code":"bad_signature","cause":"key_unproven"}`
	if len(lines) != 1 || lines[0] != want {
		t.Errorf("got  %s\nwant %s", lines, want)
	}
}

func TestARefusalLogThatCannotKeepUpDropsAndCounts(t *testing.T) {
	t.Parallel()
	metrics := newMetrics()
	log := NewRefusalLog(broken{}, metrics, slog.New(slog.DiscardHandler))
	for range refusalBacklog + 3 {
		log.note(refusal{Order: "o"})
	}
	if n := testutil.ToFloat64(metrics.dropped); n != 3 {
		t.Errorf("%v dropped while nobody wrote, want 3", n)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	log.Run(ctx)
	if n := testutil.ToFloat64(metrics.dropped); n != refusalBacklog+3 {
		t.Errorf("%v dropped by a file that cannot be written, want all %d", n, refusalBacklog+3)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left on device") }

// disk is a file whose first writes fail.
type disk struct {
	fails  int
	writes int
	kept   bytes.Buffer
}

func (d *disk) Write(b []byte) (int, error) {
	if d.writes++; d.writes <= d.fails {
		return 0, errors.New("no space left on device")
	}
	return d.kept.Write(b)
}

// logged notes refusals while nobody writes them, has them written to out, and
// returns how many are counted as dropped.
func logged(t *testing.T, out io.Writer, refusals int) (dropped int) {
	metrics := newMetrics()
	log := NewRefusalLog(out, metrics, slog.New(slog.DiscardHandler))
	for range refusals {
		log.note(refusal{Order: "o"})
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	log.Run(ctx)
	return int(testutil.ToFloat64(metrics.dropped))
}

func TestRefusalsThatWaitAreWrittenTogether(t *testing.T) {
	t.Parallel()
	out := &disk{}
	if dropped := logged(t, out, 10); dropped != 0 || out.writes != 1 {
		t.Errorf("%d writes, %d dropped", out.writes, dropped)
	}
}

func TestARefusalLogOutlivesAFailure(t *testing.T) {
	t.Parallel()
	const refusals = 200 // more than one write
	out := &disk{fails: 1}
	dropped, written := logged(t, out, refusals), 0
	for decoder := json.NewDecoder(&out.kept); decoder.More(); written++ {
		if err := decoder.Decode(new(refusal)); err != nil {
			t.Fatal(err)
		}
	}
	if dropped == 0 || written == 0 || dropped+written != refusals {
		t.Errorf("%d written and %d dropped of %d", written, dropped, refusals)
	}
}

// The page shows a line as it is written.
func TestThePagesRefusalIsOne(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "a line of JSON, for customer service:\n\n```json\n")
	text, _, _ := strings.Cut(rest, "```")
	var shown refusal
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&shown); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if again, err := json.Marshal(shown); err != nil ||
		string(again) != strings.Join(strings.Fields(strings.NewReplacer(": ", ":", ", ", ",").Replace(text)), "") {
		t.Errorf("its fields are %s, the page's are %s", again, text)
	}
}

// The buyer reads that the shop is not set up right, the operator which setting it is.
func TestAConfirmOfAnotherStoreIsWrittenWithTheSetting(t *testing.T) {
	t.Parallel()
	log := &said{}
	s := &store{decide: always(gate.Held), shop: "store-1", log: logTo(log, slog.LevelInfo)}
	call := func(store string) string {
		return `{"type":"Transaction.Confirm","timestamp":"2026-12-01T01:00:00Z","data":{"storeId":"` + store +
			`","paymentId":"order_1","transactionId":"tx_1","totalAmount":1000}}`
	}
	lines := written(t, s, func(s *site) {
		if status, text := s.post(t, "/confirm/race?items=full", call("store-1")); status != 200 {
			t.Errorf("its own store: %d %s", status, text)
		}
		if status, text := s.post(t, "/confirm/race?items=full", call("store-2")); status != 400 ||
			strings.Contains(text, "tore") {
			t.Errorf("another store: %d %s", status, text)
		}
	})
	const want = `{"sale":"race","order":"order_1","attempt":"tx_1","items":"full","amount":1000,"code":"bad_request",` +
		`"cause":"other_store","field":"data.storeId","want":"must be the store that --portone-v2-store names"}`
	if len(lines) != 1 || lines[0] != want {
		t.Errorf("the refusal log has\n%s\nwant\n%s", lines, want)
	}
	if lines := log.lines("cause=other_store"); len(lines) != 1 {
		t.Errorf("the log has\n%s", log.lines(""))
	}
}

// The operator reads what to add to the sale.
func TestARefusedVersionIsWrittenWithWhatTheSaleMustSay(t *testing.T) {
	t.Parallel()
	log := &said{}
	s := &store{decide: always(gate.Held), lookups: portone.Lookups{V2: true}, log: logTo(log, slog.LevelInfo)}
	lines := written(t, s, func(s *site) { s.post(t, "/confirm/race?items=full", v1) })
	const want = `{"sale":"race","order":"order_1","attempt":"imp_1","items":"full",` +
		`"lines":[{"sku":"full","quantity":1}],"amount":1000,"code":"bad_request",` +
		`"cause":"version_not_looked_up","field":"accept","want":"must name v1 in the sale's file: accept: [v1], or [v1, v2] for both"}`
	if len(lines) != 1 || lines[0] != want {
		t.Errorf("the refusal log has\n%s\nwant\n%s", lines, want)
	}
	if lines := log.lines("cause=version_not_looked_up field=accept want=\"must name v1"); len(lines) != 1 {
		t.Errorf("the log has\n%s", log.lines(""))
	}
}
