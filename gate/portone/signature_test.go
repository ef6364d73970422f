package portone_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/testkit"
)

func secret(fill byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), 32)))
}

func secrets(t testing.TB, text string) *portone.Secrets {
	t.Helper()
	s, err := portone.ParseSecrets(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signed(t testing.TB, with, body string, at time.Time) (id, timestamp, signature string) {
	t.Helper()
	signature, err := testkit.Webhook(t, with).Sign("msg_1", at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return "msg_1", fmt.Sprint(at.Unix()), signature
}

// refusal is the cause that a call is refused for; nil where it is taken.
func refusal(v gate.Verdict, taken bool) error {
	switch {
	case taken:
		return nil
	case v.Code != gate.BadSignature:
		return errors.New(v.Code.String())
	}
	return errors.New(v.Cause.String())
}

func TestASignedCallOfV2IsVerified(t *testing.T) {
	t.Parallel()
	const body = `{"type":"Transaction.Confirm"}`
	now := time.Now()
	both := secrets(t, secret('n')+", "+secret('o')+"\n")
	for _, with := range []string{secret('n'), secret('o')} {
		id, timestamp, signature := signed(t, with, body, now)
		if err := refusal(both.Verify([]byte(body), id, timestamp, signature)); err != nil {
			t.Errorf("one of two secrets: %v", err)
		}
		if err := refusal(both.Verify([]byte(body), id, timestamp, "v1,AAAA "+signature)); err != nil {
			t.Errorf("one of two signatures: %v", err)
		}
		f := func(what, body, id, timestamp, signature string, by *portone.Secrets, want gate.Cause) {
			t.Helper()
			if err := refusal(by.Verify([]byte(body), id, timestamp, signature)); err == nil ||
				err.Error() != want.String() {
				t.Errorf("%s: got %v, want %s", what, err, want)
			}
		}
		f("another body", body+" ", id, timestamp, signature, both, gate.CallMismatch)
		f("another id", body, id+"1", timestamp, signature, both, gate.CallMismatch)
		f("another time", body, id, fmt.Sprint(now.Unix()-1), signature, both, gate.CallMismatch)
		f("a time that is none", body, id, timestamp[:9]+"x", signature, both, gate.CallMismatch)
		f("no id", body, "", timestamp, signature, both, gate.CallUnsigned)
		f("no time", body, id, "", signature, both, gate.CallUnsigned)
		f("no signature", body, id, timestamp, "", both, gate.CallUnsigned)
		f("half a signature", body, id, timestamp, signature[:len(signature)/2], both, gate.CallMismatch)
		f("another version", body, id, timestamp, strings.Replace(signature, "v1", "v2", 1), both, gate.CallMismatch)
		f("another secret", body, id, timestamp, signature, secrets(t, secret('x')), gate.CallMismatch)
		f("no secret", body, id, timestamp, signature, &portone.Secrets{}, gate.CallMismatch)
		f("nothing said", body, id, timestamp, signature, nil, gate.CallMismatch)
		for _, age := range []time.Duration{6 * time.Minute, -6 * time.Minute} {
			id, timestamp, signature := signed(t, with, body, now.Add(-age))
			f(fmt.Sprint(age, " old"), body, id, timestamp, signature, both, gate.CallStale)
		}
	}
}

func TestASecretThatIsNoneIsRefusedAndNotShown(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", ",", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 but long enough to be one",
		secret('a')[6:], secret('a') + ",",
	} {
		if _, err := portone.ParseSecrets(text); err == nil {
			t.Errorf("%q is taken", text)
		} else if len(text) > 6 && strings.Contains(err.Error(), strings.TrimPrefix(text, "whsec_")) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}

func TestUnverifiedTakesWhatNobodySigned(t *testing.T) {
	t.Parallel()
	if err := refusal(portone.Unverified().Verify([]byte("{}"), "", "", "")); err != nil {
		t.Errorf("unverified: %v", err)
	}
}

func BenchmarkVerifyCall(b *testing.B) {
	body := fixtures(b)["v2-2024-04-25-confirm.json"]
	both := secrets(b, secret('n')+","+secret('o'))
	for _, with := range []struct{ name, secret string }{
		{"first-secret", secret('n')},
		{"second-secret", secret('o')},
	} {
		b.Run(with.name, func(b *testing.B) {
			id, timestamp, signature := signed(b, with.secret, string(body), time.Now())
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := both.Verify(body, id, timestamp, signature); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}

// Secrets that are no secrets take no call, and none that are replaced by such.
func TestNoSecretsTakeNoCall(t *testing.T) {
	t.Parallel()
	replaced, open := secrets(t, secret('a')), portone.Unverified()
	replaced.Replace(&portone.Secrets{})
	open.Replace(&portone.Secrets{})
	for name, s := range map[string]*portone.Secrets{
		"nil": nil, "zero": {}, "replaced by zero": replaced,
		"verified no more": open,
	} {
		if v, ok := s.Verify([]byte("{}"), "whid_1", "1", "v1,x"); ok || v.Code != gate.BadSignature {
			t.Errorf("%s: %t, %+v", name, ok, v)
		}
	}
}
