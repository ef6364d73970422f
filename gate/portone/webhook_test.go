package portone_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// webhooks are PortOne's own webhooks, all for one order.
func webhooks(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/*webhook*")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no fixtures in testdata: %v", err)
	}
	bodies := map[string][]byte{}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		bodies[filepath.Base(path)] = body
	}
	return bodies
}

func TestDecodeWebhookTakesEveryWebhookOfPortOne(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{
		"v1-webhook-cancelled.json":               "cancelled",
		"v1-webhook-paid.json":                    "paid",
		"v2-2024-01-01-webhook-failed.json":       "Failed",
		"v2-2024-04-25-webhook-paid.json":         "Transaction.Paid",
		"v2-2024-04-25-webhook-unknown-type.json": "Transaction.SomethingNew",
	}
	for name, body := range webhooks(t) {
		got, v := portone.DecodeWebhook([]byte(asJSON), body)
		want := portone.Webhook{
			Version: gate.V1, Order: "ORD20261201000137", Attempt: "imp_448280090638",
			Kind: kinds[name],
		}
		if strings.HasPrefix(name, "v2") {
			want.Version, want.Attempt = gate.V2, "0195f1c2-7a1e-7c52-9d1b-2f9d6e0a4b11"
		}
		if strings.HasPrefix(name, "v2-2024-04-25") {
			want.Store = "store-2f6b6f0e-5a0b-4f5a-8c2e-6e9b3a1f0d77"
		}
		if v != (gate.Verdict{}) || got != want {
			t.Errorf("%s: got %+v %+v, want %+v", name, got, v, want)
		}
	}
}

func TestDecodeWebhookAccepts(t *testing.T) {
	t.Parallel()
	f := func(contentType, body string, want portone.Webhook) {
		t.Helper()
		got, v := portone.DecodeWebhook([]byte(contentType), []byte(body))
		if v != (gate.Verdict{}) || got != want {
			t.Errorf("%s: got %+v %+v, want %+v", body, got, v, want)
		}
	}

	f(asForm, "imp_uid=a&merchant_uid=o%2B1&status=cancelled&cancellation_id=c",
		portone.Webhook{gate.V1, "o+1", "a", "cancelled", ""})
	f(asForm, "payment_id=o&tx_id=a&status=VirtualAccountIssued",
		portone.Webhook{gate.V2, "o", "a", "VirtualAccountIssued", ""})
	f(asForm, "imp_uid=a&merchant_uid=o", portone.Webhook{gate.V1, "o", "a", "", ""})
	f(asJSON+"; charset=utf-8", `{"imp_uid":"\u0061","merchant_uid":"한","status":"ready"}`,
		portone.Webhook{gate.V1, "한", "a", "ready", ""})

	// What nobody knows is ignored: fields, kinds, and kinds that are about no payment.
	f(asJSON,
		`{"imp_uid":"a","merchant_uid":"o","status":"paid","amount":"x","total_amount":null,"type":1,"data":{"x":1}}`,
		portone.Webhook{gate.V1, "o", "a", "paid", ""})
	f(asJSON, `{"type":"BillingKey.Issued","timestamp":"x","data":{"storeId":"s","billingKey":"b"}}`,
		portone.Webhook{gate.V2, "", "", "BillingKey.Issued", "s"})
	f(asJSON, `{"type":"Something.New"}`, portone.Webhook{gate.V2, "", "", "Something.New", ""})
	f(asJSON, `{"type":"Something.New","data":[1]}`, portone.Webhook{gate.V2, "", "", "Something.New", ""})
	f(asJSON, `{"type":"Transaction.Paid","status":1,"data":{"paymentId":"o"}}`,
		portone.Webhook{gate.V2, "o", "", "Transaction.Paid", ""})
}

func TestDecodeWebhookNamesWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := func(contentType, body, field string) {
		t.Helper()
		got, v := portone.DecodeWebhook([]byte(contentType), []byte(body))
		if v.Code != gate.BadRequest || v.Field != field || v.Want == "" || got != (portone.Webhook{}) {
			t.Errorf("%s: got %+v %+v, want a bad request that names %q", body, got, v, field)
		}
	}

	f("text/plain", `{"imp_uid":"a","merchant_uid":"o"}`, "Content-Type")
	for _, body := range []string{
		``, `[]`, `{`, `{}`, `{"status":"paid"}`, `{"imp_uid":"a","merchant_uid":"o"`,
		`{"imp_uid":"a","payment_id":"o"}`,
	} {
		f(asJSON, body, "body")
	}
	f(asForm, "type=Transaction.Paid", "body")

	for _, id := range []string{`""`, `1`, `null`, `"\n"`, `"` + strings.Repeat("x", 65) + `"`} {
		f(asJSON, `{"imp_uid":`+id+`,"merchant_uid":"o","status":"paid"}`, "imp_uid")
		f(asJSON, `{"imp_uid":"a","merchant_uid":`+id+`,"status":"paid"}`, "merchant_uid")
		f(asJSON, `{"imp_uid":"a","merchant_uid":"o","status":`+id+`}`, "status")
		f(asJSON, `{"payment_id":`+id+`,"tx_id":"a","status":"Paid"}`, "payment_id")
		f(asJSON, `{"type":`+id+`,"data":{"paymentId":"o"}}`, "type")
		f(asJSON, `{"type":"Transaction.Paid","data":{"paymentId":`+id+`}}`, "data.paymentId")
		f(asJSON, `{"type":"Transaction.Paid","data":{"paymentId":"o","transactionId":`+id+`}}`, "data.transactionId")
	}
	f(asJSON, `{"merchant_uid":"o","status":"paid"}`, "imp_uid")
	f(asJSON, `{"payment_id":"o","status":"Paid"}`, "tx_id")
	f(asJSON, `{"data":{"paymentId":"o"}}`, "type")

	f(asJSON, `{"imp_uid":"a","merchant_uid":"o","status":"paid","status":"failed"}`, "status")
	f(asForm, "imp_uid=a&merchant_uid=o&merchant_uid=p", "merchant_uid")
}

func FuzzWebhook(f *testing.F) {
	for _, body := range webhooks(f) {
		f.Add(false, body)
	}
	f.Add(true, []byte("imp_uid=a&merchant_uid=%ED%95%9C+1&status=paid&x"))
	f.Add(false, []byte(`{"type":"BillingKey.Issued","data":{"billingKey":"b"}}`))

	f.Fuzz(func(t *testing.T, form bool, body []byte) {
		kind := asJSON
		if form {
			kind = asForm
		}
		w, v := portone.DecodeWebhook([]byte(kind), body)
		if !form {
			compareSyntax(t, body, v)
		}
		if v != (gate.Verdict{}) {
			if v.Code != gate.BadRequest || v.Field == "" || v.Want == "" || w != (portone.Webhook{}) {
				t.Fatalf("refused %+v with %+v", w, v)
			}
			return
		}
		for _, text := range []string{w.Order, w.Attempt, w.Kind} {
			if text != "" && !gate.ValidID(text) {
				t.Fatalf("accepted %+v", w)
			}
		}
		read := readBack(t, form, body)
		newest := w.Version == gate.V2 && w.Kind != "" && read("type") == w.Kind
		switch {
		case w.Version == gate.V1 && read("merchant_uid") == w.Order && read("imp_uid") == w.Attempt &&
			read("status") == w.Kind:
		case w.Version == gate.V2 && read("payment_id") == w.Order && read("tx_id") == w.Attempt &&
			read("status") == w.Kind:
		case newest && read("data.paymentId") == w.Order && read("data.transactionId") == w.Attempt:
		default:
			t.Fatalf("%s reads as %+v", body, w)
		}
	})
}

// readBack reads the texts of a body with the standard library.
func readBack(t *testing.T, form bool, body []byte) func(string) string {
	t.Helper()
	if form {
		values := map[string]string{}
		for pair := range strings.SplitSeq(string(body), "&") {
			name, text, _ := strings.Cut(pair, "=")
			name, err := url.QueryUnescape(name)
			if text, err2 := url.QueryUnescape(text); err == nil && err2 == nil {
				values[name] = text
			}
		}
		return func(name string) string { return values[name] }
	}
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatalf("accepted what encoding/json does not read: %v", err)
	}
	return func(name string) string {
		in := members
		if inner, ok := strings.CutPrefix(name, "data."); ok {
			name = inner
			in, _ = members["data"].(map[string]any)
		}
		text, _ := in[name].(string)
		return text
	}
}
