package portone_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"net/url"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

func FuzzDecode(f *testing.F) {
	for name, body := range fixtures(f) {
		f.Add(contentType(name) == asForm, body)
	}
	for _, body := range []string{
		`{"\u006derchant_uid":"\ud83c\udfab","imp_uid":"a","amount":1.1E7,"status":{"a":[1,"\\",null,true]}}`,
		`{"merchant_uid":"o","imp_uid":"a","amount":1,"amount":2}`,
		`{"payment_id":"o","tx_id":"a","total_amount":1000000000000.0}`,
	} {
		f.Add(false, []byte(body))
	}
	f.Add(true, []byte("payment%5Fid=%ED%95%9C+1&tx_id=a;b&total_amount=1.1e%2B5&x"))

	f.Fuzz(func(t *testing.T, form bool, body []byte) {
		kind := asJSON
		if form {
			kind = asForm
		}
		var c gate.Confirm
		version, v := portone.Decode(&c, []byte(kind), body, "")
		if !form {
			compareSyntax(t, body, v)
		}
		if v != (gate.Verdict{}) {
			if v.Code != gate.BadRequest || v.Field == "" || v.Want == "" || version != 0 {
				t.Fatalf("refused with V%d %+v", version, v)
			}
			return
		}
		if !gate.ValidID(c.Order) || !gate.ValidID(c.Attempt) || c.Amount.Value < 0 || c.Amount.Value > gate.MaxAmount {
			t.Fatalf("accepted order %q, attempt %q, amount %+v", c.Order, c.Attempt, c.Amount)
		}
		if version == gate.V2 && !c.Amount.Known {
			t.Fatal("accepted a call of V2 without an amount")
		}
		compareAgain(t, &c)
		if form {
			compareForm(t, body, version, &c)
		} else {
			compareJSON(t, body, version, &c)
		}
	})
}

// compareSyntax holds the scanner against encoding/json's: what one takes for
// an object so does the other, but for nesting.
func compareSyntax(t *testing.T, body []byte, v gate.Verdict) {
	t.Helper()
	want := json.Valid(body) && bytes.TrimLeft(body, " \t\r\n")[0] == '{'
	switch v.Want {
	case "must not be nested more than 100 deep":
	case "must be one JSON object":
		if want {
			t.Fatal("refused what is one JSON object")
		}
	default:
		if !want {
			t.Fatal("took for a JSON object what is none")
		}
	}
}

// compareAgain writes c as V1 does and reads it back.
func compareAgain(t *testing.T, c *gate.Confirm) {
	t.Helper()
	members := map[string]any{"merchant_uid": string(c.Order), "imp_uid": string(c.Attempt)}
	if c.Amount.Known {
		members["amount"] = c.Amount.Value
	}
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	var again gate.Confirm
	version, v := portone.Decode(&again, []byte(asJSON), body, "")
	if version != gate.V1 || v != (gate.Verdict{}) || !bytes.Equal(again.Order, c.Order) ||
		!bytes.Equal(again.Attempt, c.Attempt) || again.Amount != c.Amount {
		t.Fatalf("%s reads as V%d %+v %+v", body, version, v, again)
	}
}

// compareJSON holds c against what encoding/json reads in the body.
func compareJSON(t *testing.T, body []byte, version gate.Version, c *gate.Confirm) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var members map[string]any
	if err := d.Decode(&members); err != nil {
		t.Fatalf("accepted what encoding/json does not read: %v", err)
	}
	names := [3]string{"merchant_uid", "imp_uid", "amount"}
	if version == gate.V2 {
		names = [3]string{"payment_id", "tx_id", "total_amount"}
		if members["type"] == "Transaction.Confirm" {
			members, _ = members["data"].(map[string]any)
			names = [3]string{"paymentId", "transactionId", "totalAmount"}
		}
	}
	if members[names[0]] != string(c.Order) || members[names[1]] != string(c.Attempt) {
		t.Fatalf("got order %q and attempt %q, encoding/json reads %v", c.Order, c.Attempt, members)
	}
	text, present := members[names[2]].(json.Number)
	compareAmount(t, c.Amount, present, text.String())
}

// compareForm holds c against what net/url reads in the body, where it does.
func compareForm(t *testing.T, body []byte, version gate.Version, c *gate.Confirm) {
	t.Helper()
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return
	}
	names := [3]string{"merchant_uid", "imp_uid", "amount"}
	if version == gate.V2 {
		names = [3]string{"payment_id", "tx_id", "total_amount"}
	}
	if values.Get(names[0]) != string(c.Order) || values.Get(names[1]) != string(c.Attempt) {
		t.Fatalf("got order %q and attempt %q, net/url reads %v", c.Order, c.Attempt, values)
	}
	compareAmount(t, c.Amount, values.Has(names[2]), values.Get(names[2]))
}

func compareAmount(t *testing.T, got gate.Amount, present bool, text string) {
	t.Helper()
	if got.Known != present {
		t.Fatalf("got amount %+v, the body's is %q", got, text)
	}
	if !present {
		return
	}
	want, ok := new(big.Rat).SetString(text)
	if !ok || want.Cmp(new(big.Rat).SetInt64(got.Value)) != 0 {
		t.Fatalf("got amount %+v, the body's is %q", got, text)
	}
}
