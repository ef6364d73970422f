package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
)

// hostile is what a client sends on one connection, and what comes of it.
type hostile struct {
	name    string
	sends   string
	stays   bool     // it keeps its side open although it sends no more, as all do through HAProxy
	want    string   // the answers, as exchange words them
	says    string   // that these answers contain
	orders  []string // that are held by it
	proxied *passage // what comes of it instead through HAProxy
}

// passage is what comes of a hostile request that HAProxy answers itself, or
// makes an honest one of.
type passage struct {
	want   string
	orders []string
}

const (
	host   = "Host: gate\r\n"
	asJSON = host + "Content-Type: application/json\r\n"
	toRace = "POST /confirm/race?items=unit HTTP/1.1\r\n"
)

// call is a well-formed confirm call of a body, with more header lines and
// another query if they are given.
func call(query, more, body string) string {
	return fmt.Sprintf("POST /confirm/race%s HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n%s", query, asJSON, more,
		len(body), body)
}

// withBody is a confirm call for one unit.
func withBody(body string) string { return call("?items=unit", "", body) }

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
	stopped, late := &passage{want: "400 HAProxy"}, &passage{want: "408 HAProxy"}
	var madeUp strings.Builder
	for i := range 1999 {
		fmt.Fprintf(&madeUp, "POST /confirm/made-up-%d?items=unit HTTP/1.1\r\n%s%s\r\n%s", i, asJSON, length, refused)
	}
	madeUp.WriteString("POST /confirm/made-up?items=unit HTTP/1.1\r\n" + asJSON + "Connection: close\r\n" + length +
		"\r\n" + refused)
	return []hostile{
		{name: "nothing", want: closed, proxied: late},
		{name: "truncated request line", sends: "POST /conf", want: "400 bad_request", proxied: late},
		{name: "truncated headers", sends: toRace + asJSON + "Content-Le", want: "400 bad_request", proxied: late},
		{name: "truncated body", sends: toRace + asJSON + length + "\r\n" + refused[:20], want: "400 bad_request"},
		{
			name: "body that never comes whole", sends: toRace + asJSON + length + "\r\n" + refused[:20], stays: true,
			want: "400 bad_request",
		},
		{name: "no body and no length", sends: toRace + asJSON + "\r\n", want: "400 bad_request"},
		{
			name: "body cut by its length", sends: toRace + asJSON + "Content-Length: 20\r\n\r\n" + refused,
			want: "400 bad_request ×2", proxied: &passage{want: "400 bad_request, 400 HAProxy"},
		},
		{
			name: "body longer than its length", sends: withBody(v1("longer", "i")) + "and more",
			want: "200 held, 400 bad_request", orders: []string{"longer"},
			proxied: &passage{"200 held, 408 HAProxy", []string{"longer"}},
		},
		{
			name:  "garbage behind a good request",
			sends: withBody(v1("pipelined", "i")) + "\x00\x16\x03\x01 garbage\r\n\r\n",
			want:  "200 held, 400 bad_request", orders: []string{"pipelined"},
			proxied: &passage{"200 held, 400 HAProxy", []string{"pipelined"}},
		},
		{
			name:  "second body that never comes whole",
			sends: withBody(v1("first", "i")) + toRace + asJSON + length + "\r\n" + refused[:20], stays: true,
			want: "200 held, 400 bad_request", orders: []string{"first"},
		},
		{name: "body over 16 KiB", sends: withBody(strings.Repeat(" ", 16<<10) + refused), want: "413 too_large"},
		{
			name: "body over 16 KiB in chunks",
			sends: toRace + asJSON + "Transfer-Encoding: chunked\r\n\r\n" + chunked(strings.Repeat(" ",
				16<<10)+refused), want: "413 too_large",
		},
		{
			name: "length and chunks",
			sends: toRace + asJSON + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(v1("two-ends",
				"i")), want: "400 bad_request", says: "Transfer-Encoding",
			proxied: &passage{"200 held", []string{"two-ends"}},
		},
		{
			name: "chunks and length",
			sends: toRace + asJSON + "Transfer-Encoding: chunked\r\ncontent-length: 5\r\n\r\n" +
				chunked(v1("chunks-first", "i")) + withBody(refused), want: "400 bad_request",
			says: "Transfer-Encoding", proxied: &passage{"200 held", []string{"chunks-first"}},
		},
		{
			name: "length and chunks for nothing",
			sends: "GET /nothing HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: " +
				"chunked\r\n\r\n0\r\n\r\n", want: "400 bad_request", says: "Transfer-Encoding",
			proxied: &passage{want: "404 bad_request"},
		},
		{
			name:  "unknown transfer encoding",
			sends: toRace + asJSON + length + "Transfer-Encoding: xchunked\r\n\r\n" + refused, want: "400 bad_request",
			proxied: stopped,
		},
		{
			name:  "identity transfer encoding",
			sends: toRace + asJSON + length + "Transfer-Encoding: identity\r\n\r\n" + refused, want: "400 bad_request",
			says: "Transfer-Encoding", proxied: stopped,
		},
		{name: "length twice", sends: toRace + asJSON + "Content-Length: 59\r\nContent-Length: 59\r\n\r\n" +
			v1("length-twice", "i"), want: "400 bad_request", proxied: &passage{"200 held", []string{"length-twice"}}},
		{
			name: "two lengths", sends: toRace + asJSON + length + "Content-Length: 5\r\n\r\n" + refused,
			want: "400 bad_request", proxied: stopped,
		},
		{
			name: "negative length", sends: toRace + asJSON + "Content-Length: -5\r\n\r\n" + refused,
			want: "400 bad_request", proxied: stopped,
		},
		{
			name: "signed length", sends: toRace + asJSON + "Content-Length: +5\r\n\r\n" + refused,
			want: "400 bad_request", proxied: stopped,
		},
		{
			name: "huge length", sends: toRace + asJSON + "Content-Length: 9000000000000000000\r\n\r\n" + refused,
			stays: true, want: "413 too_large",
		},
		{
			name:  "length beyond 64 bits",
			sends: toRace + asJSON + "Content-Length: 99999999999999999999\r\n\r\n" + refused, want: "400 bad_request",
			proxied: stopped,
		},
		{
			name: "chunks", sends: toRace + asJSON + "Transfer-Encoding: chunked\r\n\r\n" + chunked(v1("chunks", "i")),
			want: "200 held", orders: []string{"chunks"},
		},
		{
			name:  "chunk size that is none",
			sends: toRace + asJSON + "Transfer-Encoding: chunked\r\n\r\n-5\r\n" + refused,
			want:  "400 bad_request", proxied: stopped,
		},
		{
			name:  "huge chunk size",
			sends: toRace + asJSON + "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n" + refused,
			want:  "400 bad_request", proxied: stopped,
		},
		{
			name: "chunk of 1 GB", sends: toRace + asJSON + "Transfer-Encoding: chunked\r\n\r\n40000000\r\n" + refused,
			stays: true, want: "413 too_large", proxied: &passage{want: "400 bad_request"},
		},
		{
			name: "space before the colon", sends: toRace + asJSON + "Content-Length : 5\r\n\r\n" + refused,
			want: "400 bad_request", proxied: stopped,
		},
		{
			name:  "null byte in the path",
			sends: "POST /confirm/ra\x00ce?items=unit HTTP/1.1\r\n" + asJSON + length + "\r\n" + refused,
			want:  "400 bad_request", proxied: stopped,
		},
		{name: "null byte in a header", sends: call("?items=unit", "X: \x00\r\n", refused), want: "400 bad_request"},
		{name: "null byte in the body", sends: withBody(refused + "\x00"), want: "400 bad_request"},
		{name: "10 MB of headers", sends: toRace + asJSON + strings.Repeat("X: "+strings.Repeat("x", 1021)+"\r\n",
			10<<10) + "\r\n", want: "400 bad_request", proxied: stopped},
		{name: "10 MB of address", sends: "POST /confirm/" + strings.Repeat("x",
			10<<20) + " HTTP/1.1\r\n" + asJSON + "\r\n", want: "400 bad_request", proxied: stopped},
		{name: "unknown method", sends: strings.Replace(withBody(refused), "POST", "BREW", 1), want: "405 bad_request"},
		{
			name: "HTTP/1.0", sends: strings.Replace(withBody(v1("http10", "i")), "HTTP/1.1", "HTTP/1.0", 1),
			want: "200 held", orders: []string{"http10"},
		},
		{
			name: "HTTP/1.0 in chunks",
			sends: "POST /confirm/race?items=unit HTTP/1.0\r\n" + asJSON + "Transfer-Encoding: chunked\r\n\r\n" +
				chunked(refused), want: "400 bad_request",
		},
		{
			name: "HTTP/2", sends: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
			want: "404 bad_request", proxied: stopped,
		},
		{
			name: "TLS", sends: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", want: "400 bad_request",
			proxied: stopped,
		},
		{
			name: "gzip", sends: call("?items=unit", "Content-Encoding: gzip\r\n", gzipped(refused)),
			want: "400 bad_request", says: "Content-Encoding",
		},
		{
			name: "gzip that is none", sends: call("?items=unit", "Content-Encoding: gzip\r\n", refused),
			want: "400 bad_request", says: "Content-Encoding",
		},
		{
			name: "expectation", sends: call("?items=unit", "Expect: 100-continue\r\n", v1("expected", "i")),
			want: "100, 200 held", orders: []string{"expected"},
		},
		{
			name: "expectation in capitals", sends: call("?items=unit", "Expect: 100-Continue\r\n",
				v1("expected-loudly", "i")),
			want: "100, 200 held", orders: []string{"expected-loudly"},
		},
		{
			name:  "expectation of too much",
			sends: toRace + asJSON + "Expect: 100-continue\r\nContent-Length: 16385\r\n\r\n", stays: true,
			want: "413 too_large",
		},
		{
			name: "expectation that nobody can meet", sends: toRace + asJSON + length + "Expect: money\r\n\r\n",
			stays: true, want: "417 bad_request", says: "Expect",
		},
		{
			name: "end of the connection in capitals", sends: call("?items=unit", "Connection: Close\r\n",
				v1("closed-loudly", "i")), stays: true,
			want: "200 held", orders: []string{"closed-loudly"},
		},
		{name: "multipart", sends: strings.Replace(withBody("--b\r\n\r\n"), "application/json",
			"multipart/form-data; boundary=b", 1), want: "400 bad_request", says: "Content-Type must"},
		{name: "no content type", sends: strings.Replace(withBody(refused), "Content-Type: application/json\r\n", "",
			1), want: "400 bad_request", says: "Content-Type must"},

		{
			name:  "ids in another script, with braces and separators",
			sends: call("?items=unit&buyer=%EA%B9%80%7B%7D%7C%3A%2C", "", v1("주문-{race}:|,", "시도-{}")),
			want:  "200 held", orders: []string{"주문-{race}:|,"},
		},
		{
			name: "unit separator in buyer", sends: call("?items=unit&buyer=a%1fb", "", refused),
			want: "400 bad_request",
			says: "buyer",
		},
		{
			name: "line break in buyer", sends: call("?items=unit&buyer=a%0d%0ab", "", refused),
			want: "400 bad_request",
			says: "buyer",
		},
		{
			name: "broken UTF-8 in buyer", sends: call("?items=unit&buyer=%ff", "", refused), want: "400 bad_request",
			says: "buyer",
		},
		{
			name: "two buyers", sends: call("?items=unit&buyer=a&buyer=b", "", refused), want: "400 bad_request",
			says: "buyer",
		},
		{
			name: "unit separator in an id", sends: withBody(`{"imp_uid":"i","merchant_uid":"a\u001fb","amount":1}`),
			want: "400 bad_request", says: "merchant_uid",
		},
		{
			name: "line break in an id", sends: withBody(`{"imp_uid":"a\nb","merchant_uid":"refused","amount":1}`),
			want: "400 bad_request", says: "imp_uid",
		},
		{
			name: "null in an id", sends: withBody(`{"imp_uid":"i","merchant_uid":"\u0000","amount":1}`),
			want: "400 bad_request", says: "merchant_uid",
		},
		{
			name: "half a surrogate in an id", sends: withBody(`{"imp_uid":"i","merchant_uid":"\ud800","amount":1}`),
			want: "400 bad_request",
		},
		{
			name: "long id", sends: withBody(v1(strings.Repeat("o", 65), "i")), want: "400 bad_request",
			says: "merchant_uid",
		},

		{name: "no units", sends: call("?items=unit:0", "", refused), want: "400 bad_request", says: "items"},
		{name: "negative units", sends: call("?items=unit:-1", "", refused), want: "400 bad_request", says: "items"},
		{
			name: "units beyond 64 bits", sends: call("?items=unit:18446744073709551617", "", refused),
			want: "400 bad_request", says: "items",
		},
		{
			name: "units in two lines", sends: call("?items=unit:1,unit:1", "", refused), want: "400 bad_request",
			says: "items",
		},
		{
			name: "items twice", sends: call("?items=unit&items=unit", "", refused), want: "400 bad_request",
			says: "items",
		},
		{
			name: "a thousand lines", sends: call("?items="+strings.Repeat("unit,", 500)+"unit", "", refused),
			want: "400 bad_request", says: "items",
		},
		{name: "negative amount", sends: withAmount("-1"), want: "400 bad_request", says: "amount"},
		{name: "amount beyond doubles", sends: withAmount("1e400"), want: "400 bad_request", says: "amount"},
		{
			name: "amount beyond 64 bits", sends: withAmount("18446744073709551617"), want: "400 bad_request",
			says: "amount",
		},
		{
			name: "exponent beyond 64 bits", sends: withAmount("1e99999999999999999999"), want: "400 bad_request",
			says: "amount",
		},
		{name: "fraction of an amount", sends: withAmount("10.5"), want: "400 bad_request", says: "amount"},
		{name: "amount that is none", sends: withAmount("NaN"), want: "400 bad_request", says: "JSON"},
		{
			name:  "key twice",
			sends: withBody(`{"imp_uid":"i","merchant_uid":"refused","merchant_uid":"other","amount":1}`),
			want:  "400 bad_request", says: "once",
		},
		{
			name:  "key twice, once escaped",
			sends: withBody(`{"imp_uid":"i","merchant_uid":"refused","\u006derchant_uid":"other","amount":1}`),
			want:  "400 bad_request", says: "once",
		},
		{
			name: "nested arrays", sends: withBody(`{"a":` + strings.Repeat("[", 15<<10)), want: "400 bad_request",
			says: "nested",
		},
		{
			name: "nested objects", sends: withBody(strings.Repeat(`{"a":`, 2<<10) + "1" + strings.Repeat("}", 2<<10)),
			want: "400 bad_request", says: "nested",
		},

		{
			name: "encoded sale", sends: strings.Replace(withBody(refused), "race", "%72ace", 1),
			want: "404 unknown_sale",
		},
		{
			name: "way up", sends: strings.Replace(withBody(refused), "race", "../confirm/race", 1),
			want: "404 unknown_sale",
		},
		{
			name: "way around", sends: strings.Replace(withBody(refused), "/confirm", "/x/../confirm", 1),
			want: "404 bad_request",
		},
		{
			name: "whole address", sends: strings.Replace(withBody(v1("whole", "i")), "/confirm",
				"http://gate/confirm", 1),
			want: "200 held", orders: []string{"whole"},
		},
		{name: "sales that do not exist", sends: madeUp.String(), stays: true, want: "404 unknown_sale ×2000"},
	}
}
