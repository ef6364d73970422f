package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/settle"
	redisstore "github.com/flashgate/flashgate/gate/store"
)

func TestASaleIsChangedThroughTheAPI(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	var seen struct {
		Version  int64
		Settings map[string]any
	}
	if err := json.Unmarshal([]byte(d.want("GET", "/v1/sales/race", "", 200, `"left": 10`)), &seen); err != nil {
		t.Fatal(err)
	}
	put := func(change map[string]any) string {
		for name, value := range change {
			seen.Settings[name] = value
		}
		text, err := json.Marshal(seen.Settings)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	same := put(nil)
	d.want("PUT", "/v1/sales/race", same, 200, `"outcome": "unchanged"`)
	more := put(map[string]any{"per_buyer": 4})
	d.want("PUT", "/v1/sales/race?dry_run=true", more, 200, `"outcome": "changed"`)
	d.want("GET", "/v1/sales/race", "", 200, `"per_buyer": 3`)
	d.want("PUT", "/v1/sales/race?version=1", more, 200, `"per_buyer": 4`)
	if text := d.want("PUT", "/v1/sales/race?version=1", put(map[string]any{"per_buyer": 5}), 409,
		"sale race is at version 2, and you have seen version 1: read it again"); !strings.Contains(text,
		`"version": 2`) {
		t.Errorf("no program can read which version it is at: %s", text)
	}
	d.want("PUT", "/v1/sales/swim?open_now=true&version=3", strings.Replace(more, "race", "swim", 1), 409,
		"there is no sale swim at version 3, nor at any: leave the version out to create it")
	d.want("PUT", "/v1/sales/race?version=one", more, 400, "must be a number")
	d.want("PUT", "/v1/sales/swim", more, 400, "write the same name")
	d.want("PUT", "/v1/sales/race", "[", 400, "unexpected end of JSON")
	d.want("PUT", "/v1/sales/race?version=1", "[", 400, "unexpected end of JSON")
	d.want("PUT", "/v1/sales/race", `{"hold":"`+strings.Repeat("x", maxCall), 413, "error")
	d.want("PUT", "/v1/sales/race", put(map[string]any{"run": 0}), 409, "in run 1 already")

	var kinds []string
	for e, err := range d.store.Ledger(t.Context(), "race", 0) {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, e.Kind+" "+e.Who)
		if e.Kind == "apply" && (e.Before == nil || e.Before.PerBuyer != 3 || e.Settings.Settings.PerBuyer != 4) {
			t.Errorf("the change is told as %+v", e)
		}
	}
	if got := strings.Join(kinds, ", "); got != "create test, apply kim" {
		t.Errorf("the ledger has %s", got)
	}
}

func TestASaleIsMadeThroughTheAPI(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	swim := raceSale()
	swim.Name = "swim"
	text, err := json.Marshal(swim.Form())
	if err != nil {
		t.Fatal(err)
	}
	const path = "/v1/sales/swim"
	d.want("PUT", path, string(text), 409, "Redis knows no run of sale swim. If it was never sold yet: ")
	d.want("PUT", path+"?dry_run=true", string(text), 409, "?open_now=true")
	d.want("GET", path, "", 404, "there is no sale ")
	if said := d.want("PUT", path+"?open_now=true", string(text), 200,
		`"outcome": "created"`); strings.Contains(said, `"before"`) {
		t.Errorf("there was none before: %s", said)
	}
	d.want("GET", "/v1/sales", "", 200, `"sale": "swim"`)

	ahead := raceSale()
	ahead.Name, ahead.OpensAt, ahead.ClosesAt = "run", time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	if text, err = json.Marshal(ahead.Form()); err != nil {
		t.Fatal(err)
	}
	late := openDesk(t, func(o *adminConfig) { o.Now = func() time.Time { return ahead.OpensAt } })
	late.want("PUT", "/v1/sales/run", string(text), 409, "Redis knows no run") // the gate's clock and Redis' must agree
	if said := d.want("PUT", "/v1/sales/run", string(text), 200,
		`"outcome": "created"`); strings.Contains(said, "reminder") {
		t.Errorf("there is nothing to remind of: %s", said)
	}
	ahead.OpensAt = time.Now().Add(30 * time.Minute)
	if text, err = json.Marshal(ahead.Form()); err != nil {
		t.Fatal(err)
	}
	d.want("PUT", "/v1/sales/run", string(text), 200,
		`"reminder": "it opens earlier now: write this opens_at into the files given to --sales too"`)
}

// A sale that is missing is no sale that was never there, and none that is empty.
func TestAMissingSaleIsToldOf(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	if err := d.store.Expect(t.Context(), "swim"); err != nil {
		t.Fatal(err)
	}
	const path, what = "/v1/sales/swim", "sale swim is missing: it is expected, and Redis has nothing of it. If it " +
		"was never sold yet: flashgate apply -f FILE --open-now; if it was, "
	d.want("GET", "/v1/sales", "", 200, `"state": "missing"`)
	d.want("GET", "/v1/sales", "", 200, `"problem": "`+what)
	d.want("GET", "/v1/sales", "", 200, `"sale": "race"`)
	for _, call := range []string{
		"GET " + path, "POST " + path + "/pause", "POST " + path + "/resume", "GET " + path + "/refunds",
		"GET " + path + "/disputes", "GET " + path + "/undelivered", "GET " + path + "/aside",
		"GET " + path + "/orders/o1", "POST " + path + "/recheck", "POST " + path + "/orders/o1/recheck",
	} {
		method, path, _ := strings.Cut(call, " ")
		d.want(method, path, "", 404, what)
	}
	d.want("POST", path+"/orders/o1/report", `{"state":"paid"}`, 404, what)
	d.want("POST", path+"/orders/o1/refund", `{}`, 404, what)
	for status := 0; status != 503; { // until the gate has read that it is missing
		status, _ = d.ask(kim, "POST", path+"/confirm-url", `{"items":"full","buyer":"u","order":"o","amount":80000}`)
	}

	d.want("DELETE", path, "", 204, "") // nobody expects it any more
	d.want("GET", path, "", 200, `"state": "deleted"`)
	d.want("DELETE", path, "", 404, "sale swim was deleted at ")
}

// Of a sale that was deleted every call says so, and when; two still show what there is.
func TestADeletedSaleIsToldOf(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(o *adminConfig) {
		o.Audit = func(context.Context, string, string, bool) (any, error) { return nil, gate.ErrNoSale }
	})
	const path, what = "/v1/sales/race", "sale race was deleted at "
	d.want("DELETE", path, "", 204, "")
	for {
		if _, known := d.public.deps.Gate.Lane([]byte("race")); !known {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	for call, body := range map[string]string{
		"POST /pause": "", "POST /resume": "", "DELETE ": "", "GET /refunds": "", "GET /disputes": "",
		"GET /undelivered": "", "GET /aside": "", "GET /audit": "",
		"GET /orders/o1": "", "POST /recheck": "", "POST /orders/o1/recheck": "",
		"POST /orders/o1/report": `{"state":"paid"}`, "POST /orders/o1/refund": `{}`,
		"POST /confirm-url": `{"items":"full","buyer":"u","order":"o","amount":80000}`,
	} {
		method, below, _ := strings.Cut(call, " ")
		d.want(method, path+below, body, 404, what)
		d.want(method, path+below, body, 404, " in run 1: to sell it anew, give it run 2")
	}
	d.want("GET", path, "", 200, `"state": "deleted"`)
	d.want("GET", path+"/ledger", "", 200, `"kind": "delete"`)
}

func TestOnlyWhatChangesASaleIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := openDesk(t, func(o *adminConfig) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	sale := raceSale()
	sale.PerBuyer = 4
	text, err := json.Marshal(sale.Form())
	if err != nil {
		t.Fatal(err)
	}
	f := func(method, path, want string) {
		t.Helper()
		log.Reset()
		d.want(method, path, string(text), 200, "")
		if got := log.String(); (got != "") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%s %s is logged as %q, want %q", method, path, got, want)
		}
	}
	const path = "/v1/sales/race"
	f("PUT", path+"?dry_run=true", "")
	f("PUT", path, "who=kim kind=apply sale=race")
	f("PUT", path, "")
	f("POST", path+"/pause", "who=kim kind=pause sale=race")
	f("POST", path+"/pause", "")
	f("POST", path+"/resume", "who=kim kind=resume sale=race")
	f("GET", path, "")
}

// troubled is a store that lists a sale which is gone, or one that fails.
type troubled struct {
	*redisstore.Store
	names error // what listing the sales fails with
	sale  error // what reading a sale but "race" fails with
}

func (s troubled) Sales(ctx context.Context) ([]string, error) {
	return []string{"swim", "race"}, s.names
}

func (s troubled) Read(ctx context.Context, names []string) map[string]gate.Reading {
	read := s.Store.Read(ctx, []string{"race"})
	for _, name := range names {
		if name != "race" {
			read[name] = gate.Reading{Err: s.sale}
		}
	}
	return read
}

func (s troubled) RefundsDue(context.Context, string) ([]gate.Order, error) { return nil, s.sale }

func (s troubled) Disputes(context.Context, string) (map[string][]gate.Dispute, error) {
	return nil, s.sale
}

func TestAStoreInTroubleIsNoEmptyList(t *testing.T) {
	t.Parallel()
	away := errors.New("Redis is away")
	f := func(names, sale error, path string, want int, part string) {
		t.Helper()
		d := openDesk(t, func(o *adminConfig) { o.Sales = troubled{o.Settling.(*redisstore.Store), names, sale} })
		d.want("GET", path, "", want, part)
	}
	f(away, nil, "/v1/sales", 503, "Redis is away")
	f(nil, away, "/v1/sales", 503, "Redis is away")
	f(nil, gate.ErrNoSale, "/v1/sales", 200, `"sale": "race"`) // another is being made, or was thrown away
	f(nil, away, "/v1/sales/race/refunds", 503, "Redis is away")
	f(nil, away, "/v1/sales/race/disputes", 503, "Redis is away")
}

func TestEveryFaultHasAStatus(t *testing.T) {
	t.Parallel()
	f := func(err error, want int) {
		t.Helper()
		answer := httptest.NewRecorder()
		writeStoreError(answer, fmt.Errorf("cannot do it: %w", err))
		if answer.Code != want || !strings.Contains(answer.Body.String(), "cannot do it") {
			t.Errorf("%v: %d %s, want %d", err, answer.Code, answer.Body, want)
		}
	}
	f(gate.ErrNoSale, 404)
	f(gate.ErrNoOrder, 404)
	f(gate.ErrChanged, 409)
	f(settle.ErrReport, 409)
	f(&gate.LossError{}, 409)
	f(&gate.UnsecuredError{}, 504)
	f(&gate.StockError{}, 409)
	f(&gate.RunError{}, 409)
	f(&http.MaxBytesError{}, 413)
	f(context.DeadlineExceeded, 503)
}

func TestASaleIsPausedAndDeletedThroughTheAPI(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.want("POST", "/v1/sales/race/pause", "", 200, `"changed": true`)
	d.want("POST", "/v1/sales/race/pause", "", 200, `"changed": false`)
	d.want("GET", "/v1/sales", "", 200, `"state": "paused"`)
	d.want("POST", "/v1/sales/race/resume", "", 200, `"changed": true`)
	d.want("POST", "/v1/sales/swim/pause", "", 404,
		"there is no sale swim: did you mean race? flashgate apply creates one")
	d.want("DELETE", "/v1/sales/swim", "", 404, "there is no sale swim: did you mean race? flashgate apply creates one")

	lane, _ := d.public.deps.Gate.Lane([]byte("race"))
	if v := lane.Confirm(confirmOf(d, "주문/1"),
		&gate.Link{Items: []byte("full"), Buyer: []byte("ann")}); v.Code != gate.Held {
		t.Fatal(v)
	}
	d.want("GET", "/v1/sales/race/orders/"+url.PathEscape("주문/1"), "", 200, `"buyer": "ann"`)
	d.want("DELETE", "/v1/sales/race", "", 409, `"agree": "drop_held=true"`)
	report := "/v1/sales/race/orders/" + url.PathEscape("주문/1") + "/report"
	d.want("POST", report, `{"state":"lost"}`, 400, "must be paid or released")
	d.want("POST", report, `{"state":"paid","attempt":"imp_9"}`, 409, "0 of its open attempts fit")
	d.want("POST", report, `{"state":"paid"}`, 200, `"state": "paid"`)
	d.want("POST", report, `{"state":"paid"}`, 200, `"state": "paid"`) // again
	d.want("POST", report, `{"state":"released"}`, 409, "it is paid")
	d.want("POST", "/v1/sales/race/orders/o9/report", `{"state":"paid"}`, 404, "no such order")
	d.want("GET", "/v1/sales/race/refunds", "", 200, "[]")
	d.want("GET", "/v1/sales/race/disputes", "", 200, "[]")
	refund := strings.TrimSuffix(report, "report") + "refund"
	d.want("POST", refund, `{}`, 409, "the sale has no auto_refund")
	d.want("POST", refund, `{"iban":"x"}`, 400, "the body is not what this call takes")
	d.want("POST", "/v1/sales/race/orders/o9/refund", `{}`, 404, "no such order")
	lane.Confirm(confirmOf(d, "second"), &gate.Link{Items: []byte("full"), Buyer: []byte("ann")})
	d.want("DELETE", "/v1/sales/race?drop_held=true", "", 409, `"paid": 1`)
	d.want("DELETE", "/v1/sales/race?drop_held=true&drop_paid=one", "", 400, "drop_paid")
	d.want("DELETE", "/v1/sales/race?drop_held=true&drop_paid=-1", "", 400, "drop_paid")
	d.want("DELETE", "/v1/sales/race?drop_held=true&drop_paid=2", "", 409, "not 2")
	d.want("DELETE", "/v1/sales/race?drop_held=true&drop_paid=1", "", 204, "")
	d.want("GET", "/v1/sales/race", "", 200, `"state": "deleted"`)
}

// The API tells of the brake as the command line does, and lets refunds go on by the number
// that its caller has seen waiting.
func TestTheBrakeIsToldOfAndReleasedThroughTheAPI(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	d := openDesk(t, func(o *adminConfig) { o.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
	const path = "/v1/sales/race/refunds/go-on"
	d.want("POST", path, `{}`, 400, "payments: must be how many")
	d.want("POST", path, `{"payments":-1}`, 400, "payments: must be how many")
	d.want("POST", path, `{"payments":0,"all":true}`, 400, "the body is not what this call takes")
	d.want("POST", "/v1/sales/swim/refunds/go-on", `{"payments":0}`, 404, "there is no sale swim")
	d.want("POST", path, `{"payments":0}`, 200, `"released": false`)
	if strings.Contains(logged.String(), "go-on") {
		t.Errorf("logged: %s", logged.String())
	}
	at, err := redis.ParseURL(d.redis)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(at)
	defer client.Close()
	if err := client.HSet(t.Context(), "fg:{race}", "brake", "1000\x1frate\x1fno_units\x1f21\x1f20", "time",
		time.Now().UnixMilli()).Err(); err != nil {
		t.Fatal(err)
	}
	text := d.want("GET", "/v1/sales/race", "", 200, `"refund_brake"`)
	var said gate.SaleView
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		t.Fatal(err)
	}
	want := gate.BrakeView{
		Brake: gate.Brake{
			Since: time.UnixMilli(1000), Rule: gate.BrakeRate, Reason: "no_units",
			Count: 21, Bound: 20,
		},
		Why:     "21 refunds within ten minutes, where 20 may be; the last for no_units",
		Waiting: &gate.Waiting{Amount: "0"},
	}
	got := *said.RefundBrake
	if !got.Since.Equal(want.Since) || *got.Waiting != *want.Waiting || got.Why != want.Why || got.Rule != want.Rule ||
		got.Count != 21 || got.Bound != 20 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	d.want("GET", "/v1/sales", "", 200, want.Why)
	d.want("POST", path, `{"payments":0}`, 200, `"released": true`)
	if !strings.Contains(logged.String(), "who=kim kind=go-on sale=race") {
		t.Errorf("logged: %s", logged.String())
	}
	if strings.Contains(d.want("GET", "/v1/sales/race", "", 200, ""), "refund_brake") {
		t.Error("it holds")
	}
}

// A higher run drops what was agreed to and no more; a dry run tells what.
func TestAHigherRunThroughTheAPINamesWhatGoes(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	lane, _ := d.public.deps.Gate.Lane([]byte("race"))
	for _, order := range []string{"o1", "o2"} {
		if v := lane.Confirm(confirmOf(d, order),
			&gate.Link{Items: []byte("full"), Buyer: []byte("ann")}); v.Code != gate.Held {
			t.Fatal(v)
		}
	}
	d.want("POST", "/v1/sales/race/orders/o1/report", `{"state":"paid"}`, 200, `"state": "paid"`)
	next := raceSale()
	next.Run = 2
	text, err := json.Marshal(next.Form())
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Error, Agree string
		Lost         gate.Loss
	}
	const path = "/v1/sales/race?dry_run="
	for _, dry := range []string{"true", "false"} {
		body := d.want("PUT", path+dry, string(text), 409, "which is open")
		if err := json.Unmarshal([]byte(body), &said); err != nil || said.Agree != "drop_held=true&drop_paid=1" {
			t.Errorf("dry run %s: %v, %s", dry, err, body)
		}
		if want := (gate.Loss{Sale: "race", Run: 1, Seq: 4, Open: true, Held: 1, Paid: 1}); said.Lost != want {
			t.Errorf("dry run %s: %+v, want %+v", dry, said.Lost, want)
		}
		d.want("PUT", path+dry+"&drop_held=true", string(text), 409, `"paid": 1`)
	}
	d.want("PUT", path+"true&"+said.Agree, string(text), 200, `"lost"`)
	d.want("GET", "/v1/sales/race", "", 200, `"run": 1`)
	d.want("PUT", path+"false&"+said.Agree, string(text), 200, `"outcome": "restarted"`)
}

func TestWhatTheShopHasNotTakenIsShownByTheAPI(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	const path = "/v1/sales/race/undelivered"
	d.want("GET", path, "", 200, `"orders": []`)
	if _, err := d.store.ClaimDelivery(t.Context(), "race", "A", time.Minute); err != nil {
		t.Fatal(err)
	}
	listed := gate.Undelivered{Order: "o1", Entry: 5, Tries: 3, Error: "the shop answered 500"}
	p := gate.Progress{
		Position: 7, Trouble: "the shop answered 503",
		Listed: map[string]*gate.Undelivered{"o1": &listed},
	}
	if _, err := d.store.KeepDelivery(t.Context(), "race", "A", time.Minute, p); err != nil {
		t.Fatal(err)
	}
	var said gate.DeliveryView
	if err := json.Unmarshal([]byte(d.want("GET", path, "", 200, `"give_up"`)), &said); err != nil {
		t.Fatal(err)
	}
	if said.Sale != "race" || said.Run != 1 || said.Position != 7 || said.Trouble != p.Trouble ||
		len(said.Orders) != 1 ||
		said.Orders[0].Order != "o1" || said.Orders[0].Tries != 3 || said.Orders[0].Error != listed.Error ||
		said.Orders[0].Entry != 5 {
		t.Errorf("%+v", said)
	}
	d.want("GET", "/v1/sales/swim/undelivered", "", 404,
		"there is no sale swim: did you mean race? flashgate apply creates one")
}

func TestWhatIsSetAsideIsShownByTheAPI(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	const path = "/v1/sales/race/aside"
	d.want("GET", path, "", 200, "[]")
	fault := &gate.FaultError{Order: "o1", Err: errors.New("its record is garbage")}
	if _, err := d.store.SetAside(t.Context(), "race", []error{fault}, false); err != nil {
		t.Fatal(err)
	}
	var said []gate.SetAside
	if err := json.Unmarshal([]byte(d.want("GET", path, "", 200, `"next"`)), &said); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || said[0].Order != "o1" || said[0].Tries != 1 || said[0].Reason != "its record is garbage" ||
		said[0].Since.IsZero() {
		t.Errorf("%+v", said)
	}
	d.want("GET", "/v1/sales/swim/aside", "", 404,
		"there is no sale swim: did you mean race? flashgate apply creates one")
}

// confirmOf is a confirm call's request for one unit of "full".
func confirmOf(d *desk, order string) *gate.Request {
	r := d.public.deps.Gate.Request(time.Now())
	r.Confirm.Order, r.Confirm.Attempt = []byte(order), []byte("imp_1")
	r.Confirm.Amount = gate.Amount{Value: 80000, Known: true}
	return r
}

// What is wrong with a body is said in words of JSON, whatever field it is.
func TestABodyThatDoesNotFitIsToldWithoutTypesOfGo(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	f := func(path, body, want string) {
		t.Helper()
		text := d.want("POST", path, body, 400, want)
		for _, word := range []string{"Go ", "int64", "struct", "unmarshal", "json: "} {
			if strings.Contains(text, word) {
				t.Errorf("%s: %s has %q", body, text, word)
			}
		}
	}
	const link, report = "/v1/sales/race/confirm-url", "/v1/sales/race/orders/o/report"
	f(link, `{"amount":80000.0}`, "amount must be a whole number in plain digits, not 80000.0")
	f(link, `{"amount":"80000"}`, "amount must be a whole number in plain digits, not a text")
	f(link, `{"amount":9223372036854775808}`, "amount must be a whole number in plain digits, not 9223372036854775808")
	f(link, `{"items":["full"]}`, "items must be a text in quotes, not a list")
	f(link, `{"order":1}`, "order must be a text in quotes, not a number")
	f(link, `{"expires_in":30}`, "expires_in must be a text in quotes, not a number")
	f(link, `[]`, "it must be an object, not a list")
	f(link, `"full"`, "it must be an object, not a text")
	f(link, `{"item":1}`, "unknown field")
	f(link, `{"items":"full"`, "its JSON is cut off")
	f(link, ``, "it is empty")
	f(report, `{"state":true}`, "state must be a text in quotes, not true or false")
}

// A link is signed only if a gate would take it.
func TestALinkIsSignedThroughTheAPI(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	const path = "/v1/sales/race/confirm-url"
	good := `{"items":"full,half","buyer":"u","order":"o","amount":140000}`
	text := d.want("POST", path, good, 200, `"confirm_url": "https://gate.example.com/confirm/race?items=full,half`)
	var said struct {
		ConfirmURL string `json:"confirm_url"`
		Length     int
		ExpiresAt  time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil || said.Length != len(said.ConfirmURL) {
		t.Errorf("%+v, %v", said, err)
	}
	if in := time.Until(said.ExpiresAt); in < 29*time.Minute || in > 30*time.Minute {
		t.Errorf("it expires in %v", in)
	}
	d.want("POST", path,
		`{"items":"full","buyer":"u","order":"o","amount":80000,"base_url":"http://other","expires_in":"1h"}`, 200,
		"http://other/confirm/race")
	d.want("POST", path, `{"items":"full","buyer":"u","order":"o","amount":80001}`, 409, "amount_mismatch")
	d.want("POST", path, `{"items":"full","buyer":"u","order":"o","amount":80001}`, 409,
		`"error": "amount 80001: it must be 80000`)
	d.want("POST", path, `{"items":"full","buyer":"u","order":"o"}`, 400, "amount")
	d.want("POST", path, `{"items":"lamp","buyer":"u","order":"o","amount":1}`, 404, "unknown_sku")
	d.want("POST", path, `{"items":"ful","buyer":"u","order":"o","amount":1}`, 404,
		`"error": "sale race has no SKU ful: did you mean full`)
	d.want("POST", path, `{"items":"full","order":"o","amount":80000}`, 400, "buyer")
	d.want("POST", path, `{"items":"full:0","buyer":"u","order":"o","amount":80000}`, 400, "items")
	d.want("POST", path, `{"items":"full","buyer":"u","order":"","amount":80000}`, 400, "order")
	d.want("POST", path, `{"items":"full","buyer":"u","order":"o","amount":-1}`, 400, "amount")
	d.want("POST", path, `{"items":"full","buyer":"u","order":"o","amount":80000,"expires_in":"0s"}`, 400, "expires_in")
	d.want("POST", path, `{"items":"full","buyer":"u","order":"o","amount":80000,"expires_in":"soon"}`,
		400, "expires_in")
	d.want("POST", path, `{"items":"full","buyer":"u","order":"o","amount":80000,"base_url":"gate.example.com"}`,
		400, "base URL")
	d.want("POST", path, `{"item":"full"}`, 400, "unknown field")
	d.want("POST", path, `nothing`, 400, "the body is not")
	d.want("POST", path,
		`{"items":"full","buyer":"u","order":"o","amount":80000,"base_url":"https://gate.example.com/confirm"}`, 400,
		"leave out /confirm and what is behind it")
	if text := d.want("POST", path, good, 200, "&buyer=u&amount=140000"); strings.Contains(text, `\u0026`) {
		t.Errorf("a link that cannot be pasted: %s", text)
	}
	d.want("POST", "/v1/sales/swim/confirm-url", good, 404,
		"there is no sale swim: did you mean race? flashgate apply creates one")
	if status, _ := d.ask(kim, "POST", path, good, "Content-Type: text/plain"); status != 415 {
		t.Errorf("as plain text: %d", status)
	}

	nowhere := openDesk(t, func(o *adminConfig) { o.BaseURL = "" })
	nowhere.want("POST", path, good, 400, "--public-url")
	keyless := openDesk(t, func(o *adminConfig) { o.Keys = nil })
	keyless.want("POST", path, good, 409, "FLASHGATE_SIGNING_KEY")
}

func TestWhoMayOnlyReadSeesNoSecretOfTheShops(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	sale := raceSale()
	sale.Name, sale.Notify = "swim", "https://shop.example.com/changes?token=s3cret"
	if err := d.store.Create(t.Context(), gate.Creation{Who: "test", Sale: sale, OpenNow: true}); err != nil {
		t.Fatal(err)
	}
	d.want("GET", "/v1/sales/swim", "", 200, `"notify": "https://shop.example.com/changes?token=s3cret"`)
	for _, path := range []string{
		"/v1/sales", "/v1/sales/swim", "/v1/sales/swim/undelivered", "/v1/sales/swim/ledger",
		"/v1/sales/swim/audit", "/metrics",
	} {
		if _, text := d.ask(viewer, "GET", path, ""); strings.Contains(text, "s3cret") {
			t.Errorf("%s shows it: %s", path, text)
		}
	}
	if _, text := d.ask(viewer, "GET", "/v1/sales/swim", ""); !strings.Contains(text,
		`"notify": "https://shop.example.com/changes?…"`) {
		t.Errorf("the URL is not shown without its query: %s", text)
	}
}

// A client that asks before it sends too much is told so at once, and is not asked
// to send it.
func TestABodyThatIsTooLargeIsNotAskedFor(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.want("POST", "/v1/sales/race/orders/o1/report", `{"state":"`+strings.Repeat("x", maxCall)+`"}`, 413,
		"at most 524288 bytes")
	unannounced := struct{ io.Reader }{strings.NewReader(`{"state":"` + strings.Repeat("x", maxCall) + `"}`)}
	request, err := http.NewRequestWithContext(t.Context(), "POST",
		"http://localhost/v1/sales/race/orders/o1/report", unannounced)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+kim)
	request.Header.Set("Content-Type", "Application/JSON")
	answer, err := d.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != 413 {
		t.Errorf("one that is not announced gets %d, want 413", answer.StatusCode)
	}
	f := func(length string, want int) {
		t.Helper()
		conn, err := d.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		deadline(t, conn)
		fmt.Fprintf(conn, "PUT /v1/sales/race HTTP/1.1\r\nHost: gate\r\nAuthorization: bearer  %s\r\nExpect: "+
			"100-Continue\r\n%s\r\n\r\n", kim, length)
		if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || answer.StatusCode != want {
			t.Errorf("%s: %v %v, want %d", length, answer, err, want)
		}
	}
	f("Content-Length: 524289", 413)
	f("Content-Length: 524288", 100)
	f("Transfer-Encoding: chunked", 100)
}

// Whoever sends the query's values as a form means them too: a dry run stays one.
func TestAFormCountsAsTheQuery(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	const form = "Content-Type: application/x-www-form-urlencoded"
	for body, want := range map[string]int{"dry_run=true": 200, "": 202} {
		if status, text := d.ask(kim, "POST", "/v1/sales/race/recheck", body, form); status != want {
			t.Errorf("%q: %d %s, want %d", body, status, text, want)
		}
	}
}
