package gate

import (
	"strings"
	"testing"
)

// A shop is told of changes at any URL, and asked for its last word only where nobody
// on the way can answer in its place.
func TestWhichURLsOfTheShopAreTaken(t *testing.T) {
	t.Parallel()
	const no, told, asked = 0, 1, 2
	f := func(text string, want int) {
		t.Helper()
		if err := CheckURL(text); (err == nil) != (want >= told) {
			t.Errorf("%q to be told of changes: %v", text, err)
		}
		if err := CheckLastWordURL(text); (err == nil) != (want >= asked) {
			t.Errorf("%q to be asked: %v", text, err)
		}
	}
	f("https://shop.example.com/changes?token=a", asked)
	f("HTTPS://SHOP.example.com", asked)
	f("http://shop.example.com", told)
	f("http://localhost:8080/ask", asked)
	f("http://127.0.0.1", asked)
	f("http://127.8.8.8:1", asked)
	f("http://[::1]:8080", asked)
	f("http://10.0.0.1", told)
	f("http://0.0.0.0", told)
	f("http://localhost.example.com", told)
	f("http://127.0.0.1.example.com", told)
	f("ftp://shop.example.com", no)
	f("shop.example.com", no)
	f("//shop.example.com", no)
	f("https://", no)
	f("https://:443/changes", no)
	f("https://kim:s3cret@shop.example.com", no)
	f("https://kim@shop.example.com", no)
	f("https://shop.example.com/#part", no)
	f("https://shop.example.com/a\u00a0b", no)
	f("https://shop.example.com/\x7f", no)
	f("https://shop.example.com/"+strings.Repeat("a", MaxMessage-len("https://shop.example.com/")), asked)
	f("https://shop.example.com/"+strings.Repeat("a", MaxMessage-len("https://shop.example.com/")+1), no)
}

func TestHideSecrets(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		if got := HideSecrets(text); got != want {
			t.Errorf("of %s is shown %s, want %s", text, got, want)
		}
	}
	f("", "")
	f("https://shop.example.com", "https://shop.example.com")
	f("https://shop.example.com:8443/a%2Fb", "https://shop.example.com:8443/a%2Fb")
	f("https://shop.example.com/changes?token=s3cret", "https://shop.example.com/changes?…")
	f("https://shop.example.com?s3cret", "https://shop.example.com?…")
	f("https://kim:s3cret@shop.example.com/changes", "https://…@shop.example.com/changes")
	f("https://shop.example.com/changes#s3cret", "https://shop.example.com/changes")
	f("https://s3cret\x7f", "…")
	f("s3cret", "…")
}

// What stands before /confirm is a server and a path, and nothing of the link.
func TestABaseURLIsAServerAndAPath(t *testing.T) {
	t.Parallel()
	const form, behind = "write it as https://HOST", "leave out /confirm and what is behind it"
	for base, want := range map[string]string{
		"https://gate.example.com":              "",
		"http://127.0.0.1:8080/":                "",
		"https://shop.example.com/tickets/gate": "",
		"https://gate.example.com/confirmed":    "",
		"":                                      form,
		"gate.example.com":                      form,
		"ftp://gate.example.com":                form,
		"https://":                              form,
		"https://:443":                          form,
		"https://kim@gate.example.com":          form,
		"https://gate.example.com?items=full":   form,
		"https://gate.example.com/#":            form,
		"https://gate.example.com/\x7f":         form,
		"https://gate.example.com/confirm":      behind,
		"https://gate.example.com/a/confirm/":   behind,
	} {
		if err := CheckBaseURL(base); (err == nil) != (want == "") ||
			err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", base, err, want)
		}
	}
}
