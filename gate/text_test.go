package gate

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestTheFirstCharacterThatIsNotAllowedIsNamed(t *testing.T) {
	t.Parallel()
	f := func(text string, allowed func(rune) bool, want string) {
		t.Helper()
		if got := Strange(text, allowed); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	f("", unicode.IsPrint, "")
	f("다 팔렸습니다 <꼭>", unicode.IsPrint, "")
	f("다 팔렸습니다\u00a0<꼭>", unicode.IsPrint, "U+00A0 at column 8")
	f("\ufeffa", unicode.IsPrint, "U+FEFF at column 1")
	f("a\tb\n", unicode.IsPrint, "U+0009 at column 2")
	f("판\xff", unicode.IsPrint, "the byte 0xFF at column 2")
	f("\ufffd", unicode.IsPrint, "") // that character itself, which is not a byte that could not be read
	f("a b", Visible, "U+0020 at column 2")
	f("abc\U0001f600", Visible, "U+1F600 at column 4")
	f("!~", Visible, "")
	f("a\x7f", Visible, "U+007F at column 2")
}

// What Unprintable names nothing in is what ids and messages may have.
func TestUnprintableAndPrintableAgree(t *testing.T) {
	t.Parallel()
	for r := range rune(0x20000) {
		if text := string(r); (Unprintable(text) == "") != printable(text) {
			t.Errorf("%U", r)
		}
	}
	for _, text := range []string{"\xff", "a\xc3", "\xe3\x81", "\xed\xa0\x80"} {
		if Unprintable(text) == "" || printable(text) {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestItemsAreTrimmed(t *testing.T) {
	t.Parallel()
	if got := Items(" a ,\r\n b\u00a0,c"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%q", got)
	}
}

func TestSigningKeysNameWhatIsNotAllowedInThem(t *testing.T) {
	t.Parallel()
	const key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	if _, err := ParseKeys(" k1:" + key + " ,\n k2:" + strings.Replace(key, "MDE", "MDF", 1) + "\u00a0\n"); err != nil {
		t.Error(err)
	}
	_, err := ParseKeys("k1:" + key[:10] + "\u200b" + key[10:])
	if err == nil || !strings.Contains(err.Error(), "signing key k1: what follows its id has U+200B at column 11") ||
		strings.Contains(err.Error(), key[:10]) {
		t.Error(err)
	}
}

func TestSecretsOfWebhooksNameWhatIsNotAllowedInThem(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NQ==" // 16 bytes
	if keys, err := WebhookSecrets(" "+secret+",\n"+secret+" ", "webhook", "there"); err != nil || len(keys) != 2 ||
		string(keys[1]) != "0123456789012345" {
		t.Errorf("%q, %v", keys, err)
	}
	f := func(text, want string) {
		t.Helper()
		if _, err := WebhookSecrets(text, "webhook", "copy it from there"); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	f(secret+",whsec_MDEy\u00a0MzQ1", "webhook secret 2 has U+00A0 at column 11: copy it from there")
	for _, text := range []string{
		"", secret + ",", secret[6:], "whsec_", "whsec_MDEyMzQ1Njc4OTAxMjM0",
		"whsec_MDEyMzQ1Njc4OTAxMjM0NQ", secret + "=",
	} {
		n := "1"
		if strings.Contains(text, ",") {
			n = "2"
		}
		f(text, "webhook secret "+n+" is not whsec_ and base64 of at least 16 bytes: copy it from there")
	}
}

func TestIDsArePrintable(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"a", "ORD-1_2.3", "주문 1", "{a}:b,c;d=e&f", strings.Repeat("x", 64), "🎫",
		"...", ".a", "a.",
	} {
		if !ValidID(id) || !ValidID([]byte(id)) {
			t.Errorf("%q is refused", id)
		}
	}
	for _, id := range []string{
		"", ".", "..", strings.Repeat("x", 65), "a\x1fb", "a\x1eb", "a\nb", "a\x00", "\x7f",
		"a\xff", "\xed\xa0\x80", "a\u200bb", "a\u2028b", "\u00a0",
	} {
		if ValidID(id) || ValidID([]byte(id)) {
			t.Errorf("%q is taken", id)
		}
	}
}
