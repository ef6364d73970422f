package shop

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flashgate/flashgate/gate"
)

func TestAReasonIsCleanedForTheBuyer(t *testing.T) {
	t.Parallel()
	f := func(body, want string) {
		t.Helper()
		if got := reasonIn([]byte(body)); got != want {
			t.Errorf("%.100q has the reason %q, want %q", body, got, want)
		}
	}
	f(`{"reason":"품절"}`, "품절")
	f(` {"code":1,"reason":"one per person","more":{"reason":"another"}} `, "one per person")

	// What is no reason.
	f(``, "")
	f(`<html>404</html>`, "")
	f(`"품절"`, "")
	f(`null`, "")
	f(`{}`, "")
	f(`{"reason":null}`, "")
	f(`{"reason":7}`, "")
	f(`{"reason":["a"]}`, "")
	f(`{"reason":{"text":"a"}}`, "")
	f(`{"error":{"reason":"a"}}`, "")
	f(`{"reason":"a"`, "")
	f(`{"reason":"a"} {"reason":"b"}`, "")
	f(strings.Repeat(`{"a":`, 2000), "")
	f("{\"reason\":\"a\xffb\"}", "")
	f("{\"reason\":\"\xc7\xb0\xc0\xfd\"}", "") // EUC-KR

	// What a reason is without.
	f(`{"reason":"a\u0000b\u0007c\u001bd\u007fe\u0085f"}`, "abcde f")
	f("{\"reason\":\"gate\\u202Erefuses\u2066\u200B\u200D\uFEFF\u00AD\"}", "gaterefuses")
	f(`{"reason":"half \ud800 a pair, \ud83d\ude00 a whole one \ufffd"}`, "half a pair, 😀 a whole one")
	f(`{"reason":"  two\r\n\tlines　and \u00a0 spaces\u2028 "}`, "two lines and spaces")
	f(`{"reason":"\u202e \n\u200b"}`, "")
	f(`{"reason":""}`, "")

	// How long it is.
	full := strings.Repeat("x", gate.MaxMessage)
	f(`{"reason":"`+full+`"}`, full)
	f(`{"reason":"`+full+`y"}`, full)
	f(`{"reason":"`+full[1:]+`가"}`, full[1:])
	f(`{"reason":"`+full[1:]+` y"}`, full[1:])
	f(`{"reason":"`+strings.Repeat("\\u200b", 500)+full+`"}`, full)
}

// Whatever a shop answers, buyers are shown a message as a sale file may have it, or
// none.
func FuzzReason(f *testing.F) {
	f.Add(`품절`, true)
	f.Add("a\u202e\x00 \U000e0001", true)
	f.Add(`{"reason":"a\ud800"}`, false)
	f.Add(strings.Repeat("각 ", 400), true)
	f.Fuzz(func(t *testing.T, text string, quote bool) {
		body := []byte(text)
		if quote {
			body, _ = json.Marshal(map[string]string{"reason": text})
		}
		got := reasonIn(body)
		if got != "" && !gate.ValidMessage(got) || strings.TrimSpace(got) != got ||
			strings.ContainsRune(got, utf8.RuneError) {
			t.Errorf("%q has the reason %q", body, got)
		}
	})
}

func TestEachCharacterIsShownWhereMessagesMayHaveIt(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		want := r
		if r == utf8.RuneError || !gate.ValidMessage(string(r)) {
			want = -1
		}
		if got := shown(r); got != want && got != ' ' {
			t.Errorf("%U is shown as %q", r, got)
		}
	}
}
