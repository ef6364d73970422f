package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
)

// hostile is what a client sends on one connection, and what comes of it.
type hostile struct {
	name    string
	sends   string
	stays   bool     // the client keeps its side open after it has sent all, as each does through HAProxy
	want    string   // the answers, as exchange words them
	says    string   // what these answers contain
	orders  []string // the orders that are then held
	proxied *passage // what comes of it through HAProxy; nil if the same
}

// passage is what comes of a hostile request that HAProxy answers itself, or makes an honest one of.
type passage struct {
	want   string
	orders []string
}

// stopped is a request that HAProxy refuses.
func stopped() *passage { return &passage{want: "400 HAProxy"} }

// late is a request whose end HAProxy has waited for in vain.
func late() *passage { return &passage{want: "408 HAProxy"} }

const (
	host   = "Host: gate\r\n"
	asJSON = host + "Content-Type: application/json\r\n"
	toRace = "POST /confirm/race?items=unit HTTP/1.1\r\n"

	inChunks = "Transfer-Encoding: chunked\r\n"
)

// call is a well-formed confirm call of a body, with more header lines and
// another query if they are given.
func call(query, more, body string) string {
	return fmt.Sprintf("POST /confirm/race%s HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n%s", query, asJSON, more,
		len(body), body)
}

// withBody is a confirm call for one unit.
func withBody(body string) string { return call("?items=unit", "", body) }

// framed is a confirm call for one unit whose header lines say, rightly or wrongly, how long its body is.
func framed(lines, body string) string { return toRace + asJSON + lines + "\r\n" + body }

// withAmount is a confirm call for one unit with an amount as it is written.
func withAmount(amount string) string {
	return withBody(`{"imp_uid":"i","merchant_uid":"refused","amount":` + amount + `}`)
}

func chunked(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		panic(err) // a buffer takes everything
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

func hostileRequests() []hostile {
	refused := v1("refused", "i")
	length := fmt.Sprintf("Content-Length: %d\r\n", len(refused))
	return slices.Concat(hostileFraming(refused, length), hostileHeads(refused, length), hostileValues(refused),
		hostilePaths(refused, length))
}

// hostilePaths are requests whose path is not what it seems.
func hostilePaths(refused, length string) []hostile {
	var madeUp strings.Builder
	for i := range 1999 {
		fmt.Fprintf(&madeUp, "POST /confirm/made-up-%d?items=unit HTTP/1.1\r\n%s%s\r\n%s", i, asJSON, length, refused)
	}
	madeUp.WriteString("POST /confirm/made-up?items=unit HTTP/1.1\r\n" + asJSON + "Connection: close\r\n" + length +
		"\r\n" + refused)
	return []hostile{
		{
			name:  "encoded sale",
			sends: strings.Replace(withBody(refused), "race", "%72ace", 1),
			want:  "404 unknown_sale",
		},
		{
			name:  "way up",
			sends: strings.Replace(withBody(refused), "race", "../confirm/race", 1),
			want:  "404 unknown_sale",
		},
		{
			name:  "way around",
			sends: strings.Replace(withBody(refused), "/confirm", "/x/../confirm", 1),
			want:  "404 bad_request",
		},
		{
			name:   "whole address",
			sends:  strings.Replace(withBody(v1("whole", "i")), "/confirm", "http://gate/confirm", 1),
			want:   "200 held",
			orders: []string{"whole"},
		},
		{
			name:  "sales that do not exist",
			sends: madeUp.String(),
			stays: true,
			want:  "404 unknown_sale ×2000",
		},
	}
}
