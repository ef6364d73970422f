package portone_test

import (
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

// What begins as it must and then goes wrong is not taken for its beginning.
func TestDecodeReadsFieldsToTheirEnd(t *testing.T) {
	t.Parallel()
	f := func(contentType, body, field string) {
		t.Helper()
		var c gate.Confirm
		if _, v := portone.Decode(&c, []byte(contentType), []byte(body), ""); v.Field != field ||
			(v.Code == gate.BadRequest) != (field != "") {
			t.Errorf("%s: got %+v, want a bad request that names %q", body, v, field)
		}
	}
	newest := func(kind, timestamp string) string {
		return `{"type":"` + kind + `","timestamp":"` + timestamp +
			`","data":{"paymentId":"o","transactionId":"a","totalAmount":1}}`
	}
	const kind, now = "Transaction.Confirm", "2026-12-01T01:00:00Z"
	f(asJSON, newest(kind, now), "")
	for _, more := range []string{`\n`, `\ud800`, `\u0000`, ` `} {
		f(asJSON, newest(kind+more, now), "type")
		f(asJSON, newest(kind, now+more), "timestamp")
	}
	for _, more := range []string{`\n`, `\ud800`, `\u0000`} {
		f(asJSON, `{"merchant_uid":"o`+more+`","imp_uid":"a"}`, "merchant_uid")
		f(asJSON, `{"merchant_uid":"o","imp_uid":"a`+more+`"}`, "imp_uid")
	}
	for _, more := range []string{"%", "%4", "%zz"} {
		f(asForm, `merchant_uid=o`+more+`&imp_uid=a`, "merchant_uid")
		f(asForm, `merchant_uid=o&imp_uid=a`+more, "imp_uid")
	}
	for _, money := range []string{"5%", "5%3", "5%zz", "5%00", "5+", "5%20"} {
		f(asForm, `merchant_uid=o&imp_uid=a&amount=`+money, "amount")
	}
	for _, money := range []string{"2e12", "1000000000000e1", "100000000001e1", "1000000000000e12", "1.1e12"} {
		f(asJSON, `{"merchant_uid":"o","imp_uid":"a","amount":`+money+`}`, "amount")
		f(asForm, `merchant_uid=o&imp_uid=a&amount=`+money, "amount")
	}
}

func TestDecodeReadsNamesToTheirEnd(t *testing.T) {
	t.Parallel()
	f := func(contentType, body, field string) {
		t.Helper()
		var c gate.Confirm
		if _, v := portone.Decode(&c, []byte(contentType), []byte(body), ""); v.Field != field {
			t.Errorf("%s: got %+v, want a bad request that names %q", body, v, field)
		}
	}
	for _, more := range []string{`\n`, `\ud800`, `\u0000`, ` `} {
		f(asJSON, `{"merchant_uid`+more+`":"o","imp_uid":"a"}`, "merchant_uid")
		f(asJSON, `{"merchant_uid":"o","imp_uid":"a","merchant_uid`+more+`":"p"}`, "")
	}
	f(asForm, `merchant_uid%=o&imp_uid=a`, "merchant_uid")
	f(asForm, `merchant_uid%zz=o&imp_uid=a`, "merchant_uid")
	f(asJSON, `{"merchant_uid":"o","imp_uid":"a","status":"\x0041"}`, "body")
}

func TestOnlyABadRequestNamesAField(t *testing.T) {
	t.Parallel()
	a := answers(t, "en")
	v := gate.Refuse(gate.SoldOut)
	want := string(a.Body(v))
	v.Field, v.Want = "amount", "must be more"
	if got := string(a.Body(v)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
