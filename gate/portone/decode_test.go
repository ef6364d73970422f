package portone_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

const (
	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
)

// fixtures are PortOne's own confirm calls, all for one order.
func fixtures(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/*confirm*")
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

func contentType(fixture string) string {
	if strings.HasSuffix(fixture, ".form") {
		return asForm
	}
	return asJSON
}

func TestDecodeTakesEveryConfirmOfPortOne(t *testing.T) {
	t.Parallel()
	for name, body := range fixtures(t) {
		var c gate.Confirm
		version, v := portone.Decode(&c, []byte(contentType(name)), body, "")
		if v != (gate.Verdict{}) {
			t.Errorf("%s: refused with %+v", name, v)
			continue
		}
		attempt, want := "imp_448280090638", gate.V1
		if strings.HasPrefix(name, "v2") {
			attempt, want = "0195f1c2-7a1e-7c52-9d1b-2f9d6e0a4b11", gate.V2
		}
		money := gate.Amount{Value: 110000, Known: true}
		if strings.Contains(name, "status") {
			money = gate.Amount{}
		}
		if version != want || string(c.Order) != "ORD20261201000137" || string(c.Attempt) != attempt ||
			c.Amount != money {
			t.Errorf("%s: got V%d, order %q, attempt %q, amount %+v", name, version, c.Order, c.Attempt, c.Amount)
		}
	}
}

func TestDecodeAccepts(t *testing.T) {
	t.Parallel()
	known := func(n int64) gate.Amount { return gate.Amount{Value: n, Known: true} }
	f := func(contentType, body string, version gate.Version, order, attempt string, amount gate.Amount) {
		t.Helper()
		var c gate.Confirm
		got, v := portone.Decode(&c, []byte(contentType), []byte(body), "")
		if v != (gate.Verdict{}) {
			t.Errorf("%s: refused with %+v", body, v)
			return
		}
		if got != version || string(c.Order) != order || string(c.Attempt) != attempt || c.Amount != amount {
			t.Errorf("%s: got V%d, order %q, attempt %q, amount %+v", body, got, c.Order, c.Attempt, c.Amount)
		}
	}

	// A status is anything, and so is any field that nobody knows.
	for _, status := range []string{
		`"ready"`, `""`, `null`, `true`, `-1.5e-3`, `[]`, `{"a":[{}]}`, `"\u0000"`, "\"\xff\"",
		`{"merchant_uid":"other","amount":1}`, strings.Repeat("[", 99) + strings.Repeat("]", 99),
	} {
		f(asJSON, `{"merchant_uid":"o","imp_uid":"a","status":`+status+`}`, gate.V1, "o", "a", gate.Amount{})
		f(asJSON, `{"payment_id":"o","tx_id":"a","total_amount":1,"new":`+status+`}`, gate.V2, "o", "a", known(1))
	}
	f(asJSON, `{"status":1,"merchant_uid":"o","imp_uid":"a","status":2}`, gate.V1, "o", "a", gate.Amount{})
	f(asForm, `merchant_uid=o&status=%zz&&x&imp_uid=a&=&status=`, gate.V1, "o", "a", gate.Amount{})
	f(asForm, `merchant_uid=o&imp_uid=a`, gate.V1, "o", "a", gate.Amount{})
	f(asJSON, `{"merchant_uid":"o","imp_uid":"a","data":"x","type":2,"timestamp":1,"Amount":"x"}`, gate.V1, "o", "a",
		gate.Amount{})

	// Content types are compared as HTTP does.
	v1 := `{"merchant_uid":"o","imp_uid":"a"}`
	f("Application/JSON;charset=UTF-8", v1, gate.V1, "o", "a", gate.Amount{})
	f(" application/json ; charset=euc-kr", v1, gate.V1, "o", "a", gate.Amount{})
	f("application/X-WWW-form-urlencoded; charset=utf-8", "payment_id=o&tx_id=a&total_amount=5", gate.V2, "o",
		"a", known(5))

	// Names and ids may be escaped, and ids are the shop's to choose.
	f(asJSON, ` { "\u006derchant_uid" : "\u0041\/\"\\\ud55c\uD83C\uDFAB" , "imp_uid":"a" } `+"\n", gate.V1, `A/"\한🎫`,
		"a", gate.Amount{})
	f(asForm, `merchant%5Fuid=a%2Bb+%ED%95%9c&imp_uid=%61;=`, gate.V1, "a+b 한", "a;=", gate.Amount{})
	long := strings.Repeat("x", 64)
	f(asJSON, `{"merchant_uid":"`+long+`","imp_uid":"`+strings.Repeat(`\u0078`, 64)+`"}`, gate.V1, long, long,
		gate.Amount{})
	f(asForm, `merchant_uid=`+long+`&imp_uid=`+strings.Repeat(`%78`, 64), gate.V1, long, long, gate.Amount{})

	// An amount is a whole number, however it is spelled.
	for text, n := range map[string]int64{
		"0": 0, "1": 1, "110000": 110000, "110000.0": 110000, "110000.000": 110000, "1.1E7": 11000000, "1.1e+5": 110000,
		"0.0": 0, "0e0": 0, "1e12": gate.MaxAmount, "1000000000000": gate.MaxAmount, "1000000000000.0": gate.MaxAmount,
	} {
		f(asJSON, `{"merchant_uid":"o","imp_uid":"a","amount":`+text+`}`, gate.V1, "o", "a", known(n))
		f(asForm, `payment_id=o&tx_id=a&total_amount=`+strings.ReplaceAll(text, "+", "%2B"), gate.V2, "o",
			"a", known(n))
	}
	f(asJSON, `{"type":"Transaction\u002eConfirm","timestamp":"2026-12-01T10:00:00+09:00",
		"data":{"storeId":"s","paymentId":"o","transactionId":"a","totalAmount":7}}`, gate.V2, "o", "a", known(7))
}

func TestDecodeNamesWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := func(contentType, body, field string) {
		t.Helper()
		var c gate.Confirm
		version, v := portone.Decode(&c, []byte(contentType), []byte(body), "")
		if v.Code != gate.BadRequest || v.Field != field || v.Want == "" || version != 0 {
			t.Errorf("%s %.200s: got V%d %+v, want a bad request that names %q", contentType, body, version, v, field)
		}
	}

	v1 := `{"merchant_uid":"o","imp_uid":"a"}`
	for _, contentType := range []string{
		"", "text/json", "application/jsonp", "application/json,text/plain",
		"multipart/form-data", ";",
	} {
		f(contentType, v1, "Content-Type")
	}

	// What is no JSON object, to the letter of RFC 8259.
	for _, body := range []string{
		``, ` `, `null`, `[]`, `"x"`, `1`, `{`, v1 + v1, v1 + "\x00", "\x00" + v1, "\ufeff" +
			v1, v1[:len(v1)-1], v1[:20],
		`{"merchant_uid":"o","imp_uid":"a",}`, `{,"merchant_uid":"o","imp_uid":"a"}`,
		`{"merchant_uid":"o" "imp_uid":"a"}`,
		`{'merchant_uid':'o','imp_uid':'a'}`, `{merchant_uid:"o","imp_uid":"a"}`, `{"merchant_uid" "o","imp_uid":"a"}`,
		`{"merchant_uid":"o","imp_uid":"a"]`, `merchant_uid=o&imp_uid=a`,
		"{\"merchant_uid\":\"o\n\",\"imp_uid\":\"a\"}",
		"{\"merchant_uid\":\"o\",\"imp_uid\":\"a\"}\v", `{"merchant_uid":"o","imp_uid":"a"}//`,
	} {
		f(asJSON, body, "body")
	}
	for _, value := range []string{
		``, `,`, `NaN`, `nan`, `Infinity`, `-`, `+1`, `01`, `-01`, `1-2`, `1.`, `.5`, `1.e2`, `1e`, `1e+`, `0x10`,
		`1_0`, `tru`, `True`, `trux`, `falsy`, `nul`, `nulL`,
		`"\x"`, `"\u12"`, `"\u12g4"`, `"\u12/4"`, `"\u12:4"`, `"\u12@4"`, `"\`, `"`, `[1,]`, `[1 2]`, `[`, `{"a"}`,
		`{"a":}`, `{"a":1,}`, "\"\t\"",
	} {
		f(asJSON, `{"merchant_uid":"o","imp_uid":"a","status":`+value+`}`, "body")
	}

	// What is JSON or a form, but no confirm call.
	for _, body := range []string{
		`{}`, `{"status":"paid"}`, `{"data":{}}`, `{"timestamp":"x"}`, `{"data":"x"}`,
		`{"x":{"merchant_uid":"o"}}`,
	} {
		f(asJSON, body, "body")
	}
	for _, body := range []string{``, `&`, `=`, v1, `status=paid`, `type=Transaction.Confirm&data.paymentId=o`} {
		f(asForm, body, "body")
	}

	// Missing.
	f(asJSON, `{"imp_uid":"a"}`, "merchant_uid")
	f(asJSON, `{"amount":1}`, "merchant_uid")
	f(asJSON, `{"merchant_uid":"o","amount":1}`, "imp_uid")
	f(asJSON, `{"merchant_uid":"\u002e","imp_uid":"a"}`, "merchant_uid")
	f(asForm, `merchant_uid=%2E%2e&imp_uid=a`, "merchant_uid")
	f(asJSON, `{"payment_id":"..","tx_id":"t","total_amount":1}`, "payment_id")
	f(asJSON, `{"Merchant_uid":"o","imp_uid":"a"}`, "merchant_uid")
	f(asForm, `merchant_uid=o`, "imp_uid")
	f(asJSON, `{"tx_id":"a","total_amount":1}`, "payment_id")
	f(asJSON, `{"payment_id":"o","total_amount":1}`, "tx_id")
	f(asJSON, `{"payment_id":"o","tx_id":"a","status":"Paid"}`, "total_amount")
	f(asForm, `payment_id=o&tx_id=a`, "total_amount")

	// Ids.
	for _, id := range []string{
		`""`, `1`, `null`, `true`, `["o"]`, `{}`, `"\n"`, `"\u0000"`, `"\u001f"`, `"\ud800"`, `"\ud800\n"`,
		`"\ud800\u0041"`,
		`"\udc00\ud800"`, `"\ud800xxdc00"`, "\"\xff\"", `"\u200b"`, `"` + strings.Repeat("x",
			65) + `"`, `"` + strings.Repeat("x", 10_000) + `"`,
	} {
		f(asJSON, `{"merchant_uid":`+id+`,"imp_uid":"a"}`, "merchant_uid")
		f(asJSON, `{"merchant_uid":"o","imp_uid":`+id+`,"amount":1}`, "imp_uid")
		f(asJSON, `{"payment_id":`+id+`,"tx_id":"a","total_amount":1}`, "payment_id")
	}
	for _, id := range []string{
		"", "%", "%4", "%zz", "%4z", "%z4", "%0A", "%00", "%FF", "\xff", "o\n",
		strings.Repeat("x", 65), strings.Repeat("%78", 65),
	} {
		f(asForm, `merchant_uid=`+id+`&imp_uid=a`, "merchant_uid")
		f(asForm, `payment_id=o&tx_id=`+id+`&total_amount=1`, "tx_id")
	}

	// Amounts.
	for _, money := range []string{
		"-1", "-0", "0.5", "110000.5", "1e400", "1e13", "1e-1", "10e-1", "1000000000001", "9223372036854775808",
		"18446744073709661616", "1000000000000.5", "1e99999999999999999999", "0e13",
	} {
		f(asJSON, `{"merchant_uid":"o","imp_uid":"a","amount":`+money+`}`, "amount")
		f(asForm, `merchant_uid=o&imp_uid=a&amount=`+money, "amount")
	}
	for _, money := range []string{`"110000"`, `""`, `null`, `true`, `[1]`, `{}`} {
		f(asJSON, `{"merchant_uid":"o","imp_uid":"a","amount":`+money+`}`, "amount")
		f(asJSON, `{"payment_id":"o","tx_id":"a","total_amount":`+money+`}`, "total_amount")
	}
	for _, money := range []string{
		"", "+1", "1+", "%201", "0x10", "NaN", "1,000", "1_000", "1.", ".5", "1e", "007",
		"%", strings.Repeat("0", 1000),
	} {
		f(asForm, `merchant_uid=o&imp_uid=a&amount=`+money, "amount")
	}

	// Twice, also where one of them is escaped.
	f(asJSON, `{"merchant_uid":"o","imp_uid":"a","merchant_uid":"o"}`, "merchant_uid")
	f(asJSON, `{"merchant_uid":"o","imp_uid":"a","merchant\u005fuid":"p"}`, "merchant_uid")
	f(asJSON, `{"merchant_uid":"o","imp_uid":"a","amount":1,"amount":1}`, "amount")
	f(asForm, `merchant_uid=o&imp_uid=a&imp%5fuid=b`, "imp_uid")
	f(asForm, `merchant_uid=o&imp_uid=a&amount=1&amount`, "amount")

	// Mixed.
	f(asJSON, `{"merchant_uid":"o","imp_uid":"a","payment_id":"o"}`, "body")
	f(asJSON, `{"merchant_uid":"o","imp_uid":"a","total_amount":1}`, "body")
	f(asJSON, `{"payment_id":"o","tx_id":"a","total_amount":1,"amount":1}`, "body")
	f(asJSON, `{"merchant_uid":"o","imp_uid":"a","data":{"paymentId":"p"}}`, "body")
	f(asForm, `merchant_uid=o&imp_uid=a&tx_id=b`, "body")
}

func TestDecodeNamesWhatCannotBeReadInTheNewestVersion(t *testing.T) {
	t.Parallel()
	f := func(kind, timestamp, data, field string) {
		t.Helper()
		var members []string
		for _, m := range [][2]string{{"type", kind}, {"timestamp", timestamp}, {"data", data}} {
			if m[1] != "" {
				members = append(members, `"`+m[0]+`":`+m[1])
			}
		}
		body := "{" + strings.Join(members, ",") + "}"
		var c gate.Confirm
		if _, v := portone.Decode(&c, []byte(asJSON), []byte(body), ""); v.Field != field ||
			(v.Code == gate.BadRequest) != (field != "") {
			t.Errorf("%s: got %+v, want a bad request that names %q", body, v, field)
		}
	}
	confirm, now, paid := `"Transaction.Confirm"`, `"2026-12-01T01:00:00.123Z"`,
		`{"paymentId":"o","transactionId":"a","totalAmount":1}`
	f(confirm, now, paid, "")

	for _, kind := range []string{
		``, `"Transaction.Paid"`, `"transaction.confirm"`, `"Transaction.Confirm "`, `""`,
		`null`, `1`, `"` + strings.Repeat("x", 10_000) + `"`,
	} {
		f(kind, now, paid, "type")
	}
	for _, timestamp := range []string{
		``, `""`, `null`, `1764550800`, `"2026-12-01"`, `"2026-12-01 01:00:00Z"`,
		`"2026-12-01T01:00:00"`, `"2026-13-01T01:00:00Z"`,
	} {
		f(confirm, timestamp, paid, "timestamp")
	}
	for _, data := range []string{
		``, `null`, `"o"`, `[{"paymentId":"o"}]`, `{}`,
		`{"transactionId":"a","totalAmount":1}`, `{"paymentId":1,"transactionId":"a","totalAmount":1}`,
	} {
		f(confirm, now, data, "data.paymentId")
	}
	f(confirm, now, `{"paymentId":"o","totalAmount":1}`, "data.transactionId")
	f(confirm, now, `{"paymentId":"o","transactionId":"","totalAmount":1}`, "data.transactionId")
	f(confirm, now, `{"paymentId":"o","transactionId":"a"}`, "data.totalAmount")
	f(confirm, now, `{"paymentId":"o","transactionId":"a","totalAmount":"1"}`, "data.totalAmount")
	f(confirm, now, `{"paymentId":"o","transactionId":"a","totalAmount":1,"paymentId":"o"}`, "data.paymentId")
	f(confirm, now, `{"paymentId":"o"},"data":{"transactionId":"a","totalAmount":1}`, "data")
	f(confirm, now, paid+`,"type":"Transaction.Confirm"`, "type")
	f(confirm, now, paid+`,"timestamp":null`, "timestamp")
	f(confirm, now, `{"data":`+paid+`}`, "data.paymentId")
}

func TestDecodeSaysWhatTheBoundsAre(t *testing.T) {
	t.Parallel()
	var c gate.Confirm
	if gate.MaxID != 64 || gate.MaxAmount != 1000000000000 {
		t.Error("the phrases in decode.go give other bounds than package gate")
	}
	_, v := portone.Decode(&c, []byte(asJSON), []byte(`{"merchant_uid":"o","imp_uid":"","amount":1}`), "")
	if want := gate.Malformed("imp_uid",
		"must be 1 to 64 bytes of printable text, and not one or two dots alone"); v != want {
		t.Errorf("got %+v, want %+v", v, want)
	}
	if string(c.Order) != "o" || len(c.Attempt) != 0 {
		t.Errorf("kept order %q and attempt %q, want what was read before the refusal", c.Order, c.Attempt)
	}
	_, v = portone.Decode(&c, []byte(asJSON), []byte(`{"merchant_uid":"o","imp_uid":"a","amount":-1}`), "")
	if want := gate.Malformed("amount", "must be a whole number between 0 and 1000000000000"); v != want {
		t.Errorf("got %+v, want %+v", v, want)
	}
	nested := `{"merchant_uid":"o","imp_uid":"a","status":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`
	_, v = portone.Decode(&c, []byte(asJSON), []byte(nested), "")
	if want := gate.Malformed("body", "must not be nested more than 100 deep"); v != want {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

func TestDecodeKeepsNothingOfTheBody(t *testing.T) {
	t.Parallel()
	for name, body := range fixtures(t) {
		var c gate.Confirm
		body = bytes.Clone(body)
		portone.Decode(&c, []byte(contentType(name)), body, "")
		order, attempt := string(c.Order), string(c.Attempt)
		for i := range body {
			body[i] = '#'
		}
		if string(c.Order) != order || string(c.Attempt) != attempt {
			t.Errorf("%s: order %q and attempt %q changed with the body", name, c.Order, c.Attempt)
		}
	}
}

func TestDecodeForgetsTheConfirmBefore(t *testing.T) {
	t.Parallel()
	c := gate.Confirm{
		Order: []byte("old order"), Attempt: []byte("old attempt"), Amount: gate.Amount{Value: 1, Known: true},
		Buyer: []byte("buyer"), Lines: []gate.Line{{SKU: "full", Quantity: 1}},
	}
	portone.Decode(&c, []byte(asJSON), []byte(`{"merchant_uid":"o","imp_uid":"a"}`), "")
	if string(c.Order) != "o" || string(c.Attempt) != "a" || c.Amount.Known {
		t.Errorf("got order %q, attempt %q, amount %+v", c.Order, c.Attempt, c.Amount)
	}
	portone.Decode(&c, []byte(asJSON), []byte(`{`), "")
	if len(c.Order) != 0 || len(c.Attempt) != 0 || c.Amount.Known {
		t.Errorf("a refusal left order %q, attempt %q, amount %+v", c.Order, c.Attempt, c.Amount)
	}
	if string(c.Buyer) != "buyer" || !slices.Equal(c.Lines, []gate.Line{{SKU: "full", Quantity: 1}}) {
		t.Errorf("the link's part changed: buyer %q, lines %v", c.Buyer, c.Lines)
	}
}

func TestDecodeRefusesWhatIsCutShort(t *testing.T) {
	t.Parallel()
	bodies := fixtures(t)
	bodies["escaped.json"] = []byte(
		`{"\u006derchant_uid":"\ud83c\udfab\n","imp_uid":"a","amount":1.5e+10,"status":[true,false,null,{}]}`)
	for name, body := range bodies {
		for n := range len(bytes.TrimSpace(body)) {
			var c gate.Confirm
			_, v := portone.Decode(&c, []byte(contentType(name)), slices.Clip(body[:n]), "")
			if contentType(name) == asJSON && v.Field != "body" {
				t.Errorf("%s: got %+v, want a bad request that names the body", body[:n], v)
			}
		}
	}
}

func TestDecodeKeepsItsMemorySmall(t *testing.T) {
	t.Parallel()
	var c gate.Confirm
	long := strings.Repeat("x", 16_000)
	for _, body := range []string{
		`{"merchant_uid":"` + long + `","imp_uid":"a"}`,
		`{"merchant_uid":"o","imp_uid":"` + long + `"}`,
	} {
		portone.Decode(&c, []byte(asJSON), []byte(body), "")
	}
	if cap(c.Order) > 512 || cap(c.Attempt) > 512 {
		t.Errorf("a long id left room for %d and %d bytes", cap(c.Order), cap(c.Attempt))
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	bodies := fixtures(t)
	bodies["escaped.json"] = []byte(
		`{"\u006derchant_uid":"\u0041","imp_uid":"\ud55c","amount":1.1E7,"status":{"a":[1,"x",null]}}`)
	bodies["escaped.form"] = []byte(`merchant%5Fuid=a%2Bb&imp_uid=%ED%95%9C&amount=110000%2e0`)
	bodies["nested.json"] = []byte(strings.Repeat(`{"data":[`, 1800))
	bodies["long.json"] = []byte(`{"merchant_uid":"` + strings.Repeat("x", 16_000) + `","imp_uid":"a"}`)
	bodies["long.form"] = []byte(`merchant_uid=` + strings.Repeat("x", 16_000))
	bodies["many.json"] = []byte(`{` + strings.Repeat(`"merchant_uid":"x",`, 800) + `"imp_uid":1}`)
	for name, body := range bodies {
		c, kind := new(gate.Confirm), []byte(contentType(name))
		c.Order, c.Attempt = make([]byte, 0, 6*gate.MaxID), make([]byte, 0, 6*gate.MaxID)
		if n := testing.AllocsPerRun(100, func() { portone.Decode(c, kind, body, "") }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, body := range fixtures(b) {
		b.Run(name, func(b *testing.B) {
			c, kind := new(gate.Confirm), []byte(contentType(name))
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if version, v := portone.Decode(c, kind, body, ""); version == gate.NoVersion {
					b.Fatalf("refused with %+v", v)
				}
			}
		})
	}
}

// BenchmarkDecodeHostile measures the dearest bodies that web's bound of 16 KiB
// lets through.
func BenchmarkDecodeHostile(b *testing.B) {
	for name, body := range map[string]string{
		"nested":  strings.Repeat(`{"data":`, 2048),
		"members": `{` + strings.Repeat(`"":1,`, 3276),
		"escapes": `{"x":"` + strings.Repeat(`\u0000`, 2728),
		"number":  `{"amount":` + strings.Repeat("9", 16_000) + `}`,
	} {
		b.Run(name, func(b *testing.B) {
			c, kind, body := new(gate.Confirm), []byte(asJSON), []byte(body)
			b.ReportAllocs()
			for b.Loop() {
				portone.Decode(c, kind, body, "")
			}
		})
	}
}
