package cli

import "strings"

// hostileHeads are requests whose request line or header lines are not what a gate takes.
func hostileHeads(refused, length string) []hostile {
	return []hostile{
		{
			name:    "null byte in the path",
			sends:   "POST /confirm/ra\x00ce?items=unit HTTP/1.1\r\n" + asJSON + length + "\r\n" + refused,
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:  "null byte in a header",
			sends: call("?items=unit", "X: \x00\r\n", refused),
			want:  "400 bad_request",
		},
		{
			name:  "null byte in the body",
			sends: withBody(refused + "\x00"),
			want:  "400 bad_request",
		},
		{
			name:    "10 MB of headers",
			sends:   framed(strings.Repeat("X: "+strings.Repeat("x", 1021)+"\r\n", 10<<10), ""),
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:    "10 MB of address",
			sends:   "POST /confirm/" + strings.Repeat("x", 10<<20) + " HTTP/1.1\r\n" + asJSON + "\r\n",
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:  "unknown method",
			sends: strings.Replace(withBody(refused), "POST", "BREW", 1),
			want:  "405 bad_request",
		},
		{
			name:   "HTTP/1.0",
			sends:  strings.Replace(withBody(v1("http10", "i")), "HTTP/1.1", "HTTP/1.0", 1),
			want:   "200 held",
			orders: []string{"http10"},
		},
		{
			name:  "HTTP/1.0 in chunks",
			sends: strings.Replace(framed(inChunks, chunked(refused)), "HTTP/1.1", "HTTP/1.0", 1),
			want:  "400 bad_request",
		},
		{
			name:    "HTTP/2",
			sends:   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
			want:    "404 bad_request",
			proxied: stopped(),
		},
		{
			name:    "TLS",
			sends:   "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:  "gzip",
			sends: call("?items=unit", "Content-Encoding: gzip\r\n", gzipped(refused)),
			want:  "400 bad_request",
			says:  "Content-Encoding",
		},
		{
			name:  "gzip that is not compressed",
			sends: call("?items=unit", "Content-Encoding: gzip\r\n", refused),
			want:  "400 bad_request",
			says:  "Content-Encoding",
		},
		{
			name:   "expectation",
			sends:  call("?items=unit", "Expect: 100-continue\r\n", v1("expected", "i")),
			want:   "100, 200 held",
			orders: []string{"expected"},
		},
		{
			name:   "expectation in capitals",
			sends:  call("?items=unit", "Expect: 100-Continue\r\n", v1("expected-loudly", "i")),
			want:   "100, 200 held",
			orders: []string{"expected-loudly"},
		},
		{
			name:  "expectation of too much",
			sends: framed("Expect: 100-continue\r\nContent-Length: 16385\r\n", ""),
			stays: true,
			want:  "413 too_large",
		},
		{
			name:  "expectation that nobody can meet",
			sends: framed(length+"Expect: money\r\n", ""),
			stays: true,
			want:  "417 bad_request",
			says:  "Expect",
		},
		{
			name:   "end of the connection in capitals",
			sends:  call("?items=unit", "Connection: Close\r\n", v1("closed-loudly", "i")),
			stays:  true,
			want:   "200 held",
			orders: []string{"closed-loudly"},
		},
		{
			name:  "multipart",
			sends: strings.Replace(withBody("--b\r\n\r\n"), "application/json", "multipart/form-data; boundary=b", 1),
			want:  "400 bad_request",
			says:  "Content-Type must",
		},
		{
			name:  "no content type",
			sends: strings.Replace(withBody(refused), "Content-Type: application/json\r\n", "", 1),
			want:  "400 bad_request",
			says:  "Content-Type must",
		},
	}
}
