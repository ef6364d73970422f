package portone_test

import (
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

func TestAVersionIsTakenWhereTheSaleNamesItOrNothingSpeaksAgainstIt(t *testing.T) {
	t.Parallel()
	const v1, v2, taken = gate.V1, gate.V2, gate.NoCause
	some, unverified := secrets(t, secret('a')), portone.Unverified()
	neither, first, second, both := portone.Lookups{}, portone.Lookups{V1: true}, portone.Lookups{V2: true},
		portone.Lookups{V1: true, V2: true}
	f := func(s *portone.Secrets, l portone.Lookups, v gate.Version, want gate.Cause, accept ...string) {
		t.Helper()
		verdict, ok := s.Takes(v, accept, l)
		if ok != (want == taken) || verdict.Cause != want || ok != (verdict == gate.Verdict{}) {
			t.Errorf("%s: %t %+v, want %s (%+v, accept %v, %+v)", v, ok, verdict, want, s, accept, l)
		}
		if !ok && (verdict.Code != gate.BadRequest || verdict.Field != "accept" || v != gate.NoVersion &&
			!strings.Contains(verdict.Want, "["+v.String()+"]")) {
			t.Errorf("%s: the operator is told %+v", v, verdict)
		}
	}
	for _, l := range []portone.Lookups{neither, both} {
		f(unverified, l, v1, taken)
		f(unverified, l, v2, taken)
		f(some, l, v1, gate.VersionUnsigned)
		f(some, l, v2, taken)
		f(nil, l, v1, gate.VersionUnsigned)
	}
	f(unverified, first, v1, taken)
	f(unverified, first, v2, gate.VersionNotLookedUp)
	f(unverified, second, v1, gate.VersionNotLookedUp)
	f(unverified, second, v2, taken)
	f(some, first, v1, gate.VersionUnsigned)
	f(some, first, v2, gate.VersionNotLookedUp)
	f(some, second, v1, gate.VersionUnsigned)
	f(some, second, v2, taken)
	for _, l := range []portone.Lookups{neither, first, second, both} {
		for _, s := range []*portone.Secrets{unverified, some, nil} {
			f(s, l, v1, taken, "v1")
			f(s, l, v2, gate.VersionNotNamed, "v1")
			f(s, l, v1, gate.VersionNotNamed, "v2")
			f(s, l, v2, taken, "v2")
			f(s, l, v1, taken, "v1", "v2")
			f(s, l, v2, taken, "v1", "v2")
			f(s, l, gate.NoVersion, gate.VersionNotNamed)
			f(s, l, gate.NoVersion, gate.VersionNotNamed, "v1", "v2")
		}
	}
}

func TestWhatASaleThatNamesNothingDoesNotTake(t *testing.T) {
	t.Parallel()
	f := func(s *portone.Secrets, l portone.Lookups, want ...gate.Cause) {
		t.Helper()
		got := s.Untaken(l)
		for i, v := range got {
			if len(got) != len(want) || v.Cause != want[i] {
				t.Fatalf("%+v, want %v", got, want)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%+v, want %v", got, want)
		}
	}
	f(portone.Unverified(), (*portone.Client)(nil).Lookups())
	f(portone.Unverified(), portone.Lookups{V1: true, V2: true})
	f(secrets(t, secret('a')), portone.Lookups{V1: true}, gate.VersionUnsigned, gate.VersionNotLookedUp)
	f(portone.Unverified(), portone.Lookups{V2: true}, gate.VersionNotLookedUp)
}

func TestAClientLooksUpTheVersionsThatItHasCredentialsOf(t *testing.T) {
	t.Parallel()
	v1, v2 := portone.V1Options{Key: "key", Secret: "secret"}, portone.V2Options{Secret: "secret"}
	for want, options := range map[portone.Lookups]portone.Options{
		{V1: true}: {V1: v1}, {V2: true}: {V2: v2}, {V1: true, V2: true}: {V1: v1, V2: v2},
	} {
		client, err := portone.NewClient(portone.Deps{}, options)
		if err != nil {
			t.Fatal(err)
		}
		if got := client.Lookups(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// What the sale must say is for the operator; the buyer can do nothing about it.
func TestAVersionThatIsNotTakenIsASentenceForTheBuyer(t *testing.T) {
	t.Parallel()
	unsigned, _ := secrets(t, secret('a')).Takes(gate.V1, nil, portone.Lookups{})
	unnamed, _ := portone.Unverified().Takes(gate.V1, []string{"v2"}, portone.Lookups{})
	blind, _ := portone.Unverified().Takes(gate.V2, nil, portone.Lookups{V1: true})
	for language, want := range map[string]string{
		"ko": "판매자의 결제 설정에 문제가 있어 결제를 진행하지 못했습니다. 결제된 금액은 없으니 판매자에게 문의해 주세요.",
		"en": "The shop's payment is not set up right, so no money was taken. Please contact the shop.",
	} {
		for _, v := range []gate.Verdict{unsigned, unnamed, blind} {
			if code, sentence := read(t, answers(t, language).Body(v)); code != "bad_request" || sentence != want {
				t.Errorf("%s, %s: %s %q", language, v.Cause, code, sentence)
			}
			own := answers(t, language).With(map[string]string{"sold_out": "매진", "bad_request": "결제할 수 없습니다."})
			if _, sentence := read(t, own.Body(v)); sentence != "결제할 수 없습니다." {
				t.Errorf("%s, %s, in the sale's own words: %q", language, v.Cause, sentence)
			}
			other := answers(t, language).With(map[string]string{"sold_out": "매진"})
			if _, sentence := read(t, other.Body(v)); sentence != want {
				t.Errorf("%s, %s, where the sale words another code: %q", language, v.Cause, sentence)
			}
		}
	}
}
