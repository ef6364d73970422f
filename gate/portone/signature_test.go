package portone_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate/portone"
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
	hook, err := standardwebhooks.NewWebhook(with)
	if err != nil {
		t.Fatal(err)
	}
	if signature, err = hook.Sign("msg_1", at, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return "msg_1", fmt.Sprint(at.Unix()), signature
}

func TestASignedCallOfV2IsVerified(t *testing.T) {
	t.Parallel()
	const body = `{"type":"Transaction.Confirm"}`
	now := time.Now()
	both := secrets(t, secret('n')+", "+secret('o')+"\n")
	for _, with := range []string{secret('n'), secret('o')} {
		id, timestamp, signature := signed(t, with, body, now)
		if err := both.Verify([]byte(body), id, timestamp, signature); err != nil {
			t.Errorf("one of two secrets: %v", err)
		}
		if err := both.Verify([]byte(body), id, timestamp, "v1,AAAA "+signature); err != nil {
			t.Errorf("one of two signatures: %v", err)
		}
		for what, err := range map[string]error{
			"another body":      both.Verify([]byte(body+" "), id, timestamp, signature),
			"another id":        both.Verify([]byte(body), id+"1", timestamp, signature),
			"another time":      both.Verify([]byte(body), id, timestamp[:9]+"x", signature),
			"no id":             both.Verify([]byte(body), "", timestamp, signature),
			"no time":           both.Verify([]byte(body), id, "", signature),
			"no signature":      both.Verify([]byte(body), id, timestamp, ""),
			"half a signature":  both.Verify([]byte(body), id, timestamp, signature[:len(signature)/2]),
			"another version":   both.Verify([]byte(body), id, timestamp, strings.Replace(signature, "v1", "v2", 1)),
			"the other secrets": secrets(t, secret('x')).Verify([]byte(body), id, timestamp, signature),
		} {
			if err == nil {
				t.Errorf("%s is taken", what)
			}
		}
	}
	for _, age := range []time.Duration{6 * time.Minute, -6 * time.Minute} {
		id, timestamp, signature := signed(t, secret('n'), body, now.Add(-age))
		if both.Verify([]byte(body), id, timestamp, signature) == nil {
			t.Errorf("a call that is %s old is taken", age)
		}
	}
}

func TestASecretThatIsNoneIsRefusedAndNotShown(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", ",", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 but long enough to be one", secret('a')[6:], secret('a') + ","} {
		if _, err := portone.ParseSecrets(text); err == nil {
			t.Errorf("%q is taken", text)
		} else if len(text) > 6 && strings.Contains(err.Error(), strings.TrimPrefix(text, "whsec_")) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}

func TestUnsignedBodiesOfV1AreTakenWhereTheSaleNamesThem(t *testing.T) {
	t.Parallel()
	var none *portone.Secrets
	if err := none.Verify([]byte("{}"), "", "", ""); err != nil {
		t.Errorf("without secrets: %v", err)
	}
	some := secrets(t, secret('a'))
	f := func(s *portone.Secrets, v portone.Version, want bool, accept ...string) {
		t.Helper()
		if got := s.Takes(v, accept); got != want {
			t.Errorf("V%d is taken: %t, want %t (secrets: %t, accept %v)", v, got, want, s != nil, accept)
		}
	}
	f(none, portone.V1, true)
	f(none, portone.V2, true)
	f(some, portone.V1, false)
	f(some, portone.V2, true)
	for _, s := range []*portone.Secrets{none, some} {
		f(s, portone.V1, true, "v1")
		f(s, portone.V2, false, "v1")
		f(s, portone.V1, false, "v2")
		f(s, portone.V2, true, "v2")
		f(s, portone.V1, true, "v1", "v2")
		f(s, portone.V2, true, "v1", "v2")
	}
}

func BenchmarkVerifyCall(b *testing.B) {
	body := fixtures(b)["v2-2024-04-25-confirm.json"]
	both := secrets(b, secret('n')+","+secret('o'))
	for _, with := range []struct{ name, secret string }{{"first-secret", secret('n')}, {"second-secret", secret('o')}} {
		b.Run(with.name, func(b *testing.B) {
			id, timestamp, signature := signed(b, with.secret, string(body), time.Now())
			b.ReportAllocs()
			for b.Loop() {
				if err := both.Verify(body, id, timestamp, signature); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
