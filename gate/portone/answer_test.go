package portone_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
)

func answers(tb testing.TB, language string) *portone.Answers {
	tb.Helper()
	a, err := portone.NewAnswers(language)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// read returns an answer's members, and checks that V1 and V2 read the same.
func read(tb testing.TB, body []byte) (code, sentence string) {
	tb.Helper()
	var members map[string]string
	if err := json.Unmarshal(body, &members); err != nil {
		tb.Fatalf("answer %s: %v", body, err)
	}
	if names := slices.Sorted(maps.Keys(members)); !slices.Equal(names, []string{"code", "errorMessage", "reason"}) {
		tb.Errorf("answer %s has the members %v", body, names)
	}
	if members["reason"] != members["errorMessage"] {
		tb.Errorf("answer %s tells V1 and V2 different things", body)
	}
	return members["code"], members["reason"]
}

func TestEveryReasonForARefundHasASentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	korean, english := answers(t, "ko"), answers(t, "en")
	said := map[string]gate.RefundReason{}
	for _, r := range gate.RefundReasons() {
		ko, en := korean.Refund(r, nil), english.Refund(r, nil)
		if !strings.HasSuffix(ko, "취소합니다.") || strings.ContainsFunc(en,
			func(r rune) bool { return unicode.Is(unicode.Hangul, r) }) || !strings.HasSuffix(en, ".") {
			t.Errorf("%s: %q, %q", r, ko, en)
		}
		for _, s := range []string{ko, en} {
			if other, ok := said[s]; ok {
				t.Errorf("%s says the same as %s: %q", r, other, s)
			}
			said[s] = r
		}
		own := map[string]string{r.Message(): "우리 말", r.String(): "no", "sold_out": "no"}
		if got := english.Refund(r, own); got != "우리 말" {
			t.Errorf("%s in the sale's own words: %q", r, got)
		}
	}
	if len(said) != 10 {
		t.Errorf("%d sentences for 5 reasons", len(said))
	}
}

func TestEveryRefusalHasASentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	korean, english := answers(t, "ko"), answers(t, "en")
	hangul := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Hangul, r) })
	}
	said := map[string]gate.Code{}
	for _, c := range gate.Refusals() {
		code, ko := read(t, korean.Body(gate.Refuse(c)))
		if code != c.String() || !hangul(ko) || !strings.HasSuffix(ko, "요.") || utf8.RuneCountInString(ko) > 80 {
			t.Errorf("%s in Korean: code %q, sentence %q", c, code, ko)
		}
		code, en := read(t, english.Body(gate.Refuse(c)))
		if code != c.String() || hangul(en) || !strings.Contains(en, "lease ") || len(en) > 120 {
			t.Errorf("%s in English: code %q, sentence %q", c, code, en)
		}
		for _, s := range []string{ko, en} {
			if other, ok := said[s]; ok {
				t.Errorf("%s says the same as %s: %q", c, other, s)
			}
			said[s] = c
		}
	}
}

// Whoever forges a link learns nothing from the answer; so only what a shop has set up
// wrong has a sentence of its own.
func TestACauseIsAnsweredAsItsCodeIs(t *testing.T) {
	t.Parallel()
	own := []gate.Cause{gate.VersionNotNamed, gate.VersionUnsigned, gate.VersionNotLookedUp}
	for _, language := range []string{"ko", "en"} {
		a := answers(t, language)
		for _, cause := range gate.Causes() {
			code, sentence := read(t, a.Body(gate.RefuseFor(cause)))
			_, plain := read(t, a.Body(gate.Refuse(cause.Code())))
			if same := sentence == plain; same == slices.Contains(own, cause) || code != cause.Code().String() ||
				len(sentence) > 200 {
				t.Errorf("%s is answered with %s %q", cause, code, sentence)
			}
		}
	}
}

func TestHeldHasNoSentence(t *testing.T) {
	t.Parallel()
	for _, a := range []*portone.Answers{answers(t, "ko"), answers(t, "en").With(map[string]string{"held": "x"})} {
		if got := string(a.Body(gate.Refuse(gate.Held))); got != `{"code":"held"}` {
			t.Errorf("got %s", got)
		}
	}
}

func TestABadRequestNamesTheField(t *testing.T) {
	t.Parallel()
	v := gate.Malformed("data.paymentId", "must be <printable> text")
	for _, a := range []*portone.Answers{
		answers(t, "ko"), answers(t, "en"), answers(t, "ko").With(map[string]string{"bad_request": "잘못된 요청"}),
	} {
		_, plain := read(t, a.Body(gate.Refuse(gate.BadRequest)))
		code, sentence := read(t, a.Body(v))
		if want := plain + " (data.paymentId must be <printable> text)"; code != "bad_request" || sentence != want {
			t.Errorf("code %q, sentence %q, want %q", code, sentence, want)
		}
	}
}

func TestSentencesCanBeReplaced(t *testing.T) {
	t.Parallel()
	a := answers(t, "ko")
	before := string(a.Body(gate.Refuse(gate.SoldOut)))
	mine := `"매진" </script> & \ ` + "\u2028"
	b := a.With(map[string]string{"sold_out": mine, "no_such_code": "x"})
	if _, got := read(t, b.Body(gate.Refuse(gate.SoldOut))); got != mine {
		t.Errorf("got %q, want %q", got, mine)
	}
	if body := string(b.Body(gate.Refuse(gate.SoldOut))); strings.ContainsAny(body, "<>&\u2028") {
		t.Errorf("%s is not safe in a page", body)
	}
	if string(a.Body(gate.Refuse(gate.SoldOut))) != before {
		t.Error("the answers that others use changed as well")
	}
	for _, c := range gate.Codes() {
		if c != gate.SoldOut && string(a.Body(gate.Refuse(c))) != string(b.Body(gate.Refuse(c))) {
			t.Errorf("%s changed too", c)
		}
	}
	if c := b.With(nil); string(c.Body(gate.Refuse(gate.SoldOut))) != string(b.Body(gate.Refuse(gate.SoldOut))) {
		t.Error("replacing nothing changed a sentence")
	}
}

func TestThereAreTwoLanguages(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"", "KO", "fr"} {
		if _, err := portone.NewAnswers(language); err == nil || !strings.Contains(err.Error(), "use ko or en") {
			t.Errorf("language %q: got error %v", language, err)
		}
	}
}

func TestAnsweringAllocatesNothing(t *testing.T) {
	a := answers(t, "ko")
	for _, c := range gate.Codes() {
		if n := testing.AllocsPerRun(100, func() { a.Body(gate.Refuse(c)) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", c, n)
		}
	}
	for _, c := range gate.Causes() {
		if n := testing.AllocsPerRun(100, func() { a.Body(gate.RefuseFor(c)) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", c, n)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	a := answers(b, "ko")
	for name, v := range map[string]gate.Verdict{
		"sold_out": gate.Refuse(gate.SoldOut),
		"bad_request": gate.Malformed("merchant_uid",
			"must be 1 to 64 bytes of printable text, and not one or two dots alone"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a.Body(v)
			}
		})
	}
}
