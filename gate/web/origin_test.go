package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
)

func TestOriginsAreWrittenAsBrowsersSendThem(t *testing.T) {
	t.Parallel()
	f := func(words, want string) {
		t.Helper()
		_, err := ParseOrigins(strings.Split(words, " "))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", words, err, want)
		}
	}
	f("*", "")
	f("https://shop.example.com http://localhost:3000 https://[::1]:8443 https://xn--o39a.kr", "")
	f("https://shop.example.com/", "browsers send it as https://shop.example.com, so write it so")
	f("https://shop.example.com/page?x#y", "browsers send it as https://shop.example.com,")
	f("https://Shop.example.com", "browsers send it as https://shop.example.com,")
	f("HTTPS://shop.example.com", "browsers send it as https://shop.example.com,")
	f("https://shop.example.com:443", "browsers send it as https://shop.example.com,")
	f("http://shop.example.com:80", "browsers send it as http://shop.example.com,")
	f("https://shop.example.com:", "browsers send it as https://shop.example.com,")
	f("https://shop.example.com:80", "")
	for _, word := range []string{
		"shop.example.com", "", "null", "https://", "https://:443", "ftp://shop.example.com", "https://*.example.com",
		"https://kim@shop.example.com", "https://가게.kr", "file:///page.html", "https://shop%2Eexample.com",
		"https://[::1",
	} {
		f(word, fmt.Sprintf("%q is no origin: write it as https://shop.example.com, or * for all", word))
	}
	f("* https://shop.example.com", "* is every origin: leave the others out")
	many := make([]string, maxOrigins)
	for i := range many {
		many[i] = fmt.Sprintf("https://shop%d.example.com", i)
	}
	f(strings.Join(many, " "), "")
	f(strings.Join(many, " ")+" https://one.more.example.com", "101 origins: at most 100 can be listed")
}

// A browser shows an answer to a page only if the answer names the page's origin.
func TestOnlyPagesOfAllowedOriginsReadTheAvailability(t *testing.T) {
	t.Parallel()
	const shop, other, here = "https://shop.example.com", "https://other.example.com", "http://localhost:3000"
	for name, test := range map[string]struct {
		allowed, from string
		origin, vary  string // in the answer
	}{
		"none allowed":        {"", shop, "", ""},
		"the shop":            {shop + " " + here, shop, shop, "Origin"},
		"the second":          {shop + " " + here, here, here, "Origin"},
		"somebody else":       {shop, other, "", "Origin"},
		"not quite the shop":  {shop, shop + ".evil.com", "", "Origin"},
		"no page":             {shop, "", "", "Origin"},
		"all":                 {"*", other, "*", ""},
		"all, and no page":    {"*", "", "*", ""},
		"a page without name": {"*", "null", "*", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origins, err := ParseOrigins(strings.Fields(test.allowed))
			if err != nil {
				t.Fatal(err)
			}
			s := start(t, &store{decide: always(gate.Held), origins: origins}, nil, newMetrics())
			for _, call := range []struct {
				method, path string
				status       int
			}{
				{"GET", "/sales/race", 200},
				{"HEAD", "/sales/race", 200},
				{"GET", "/sales/none", 404},
				{"POST", "/sales/race", 405},
				{"OPTIONS", "/sales/race", 204},
			} {
				answer, _ := s.call(t, call.method, call.path, "Origin", test.from,
					"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "if-none-match")
				h := answer.Header
				if answer.StatusCode != call.status || h.Get("Access-Control-Allow-Origin") != test.origin ||
					h.Get("Vary") != test.vary || h.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s %s: %s %v", call.method, call.path, answer.Status, h)
				}
				want := [4]string{}
				switch {
				case test.origin == "":
				case call.method == "OPTIONS":
					want = [4]string{"GET, HEAD", "If-None-Match, Cache-Control, Pragma", "86400", ""}
				default:
					want[3] = "ETag"
				}
				got := [4]string{}
				for i, name := range []string{"Allow-Methods", "Allow-Headers", "Max-Age", "Expose-Headers"} {
					got[i] = h.Get("Access-Control-" + name)
				}
				if got != want {
					t.Errorf("%s %s lets a page do %q, want %q", call.method, call.path, got, want)
				}
			}
			confirm, _ := s.call(t, "POST", "/confirm/race?items=full", "Origin", test.from)
			if confirm.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("pages may read the answers to confirms")
			}
		})
	}
}

// call sends a request with headers, each a name and a value; an empty value is not sent.
func (s *site) call(t *testing.T, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://gate"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] != "" {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	return s.do(t, request)
}
