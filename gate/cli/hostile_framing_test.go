package cli

import "strings"

// hostileFraming are requests that are cut off, or whose length is wrong or said twice.
func hostileFraming(refused, length string) []hostile {
	return []hostile{
		{
			name:    "nothing",
			want:    closed,
			proxied: late(),
		},
		{
			name:    "truncated request line",
			sends:   "POST /conf",
			want:    "400 bad_request",
			proxied: late(),
		},
		{
			name:    "truncated headers",
			sends:   toRace + asJSON + "Content-Le",
			want:    "400 bad_request",
			proxied: late(),
		},
		{
			name:  "truncated body",
			sends: framed(length, refused[:20]),
			want:  "400 bad_request",
		},
		{
			name:  "body that never comes whole",
			sends: framed(length, refused[:20]),
			stays: true,
			want:  "400 bad_request",
		},
		{
			name:  "no body and no length",
			sends: framed("", ""),
			want:  "400 bad_request",
		},
		{
			name:    "body cut by its length",
			sends:   framed("Content-Length: 20\r\n", refused),
			want:    "400 bad_request ×2",
			proxied: &passage{want: "400 bad_request, 400 HAProxy"},
		},
		{
			name:    "body longer than its length",
			sends:   withBody(v1("longer", "i")) + "and more",
			want:    "200 held, 400 bad_request",
			orders:  []string{"longer"},
			proxied: &passage{"200 held, 408 HAProxy", []string{"longer"}},
		},
		{
			name:    "garbage behind a good request",
			sends:   withBody(v1("pipelined", "i")) + "\x00\x16\x03\x01 garbage\r\n\r\n",
			want:    "200 held, 400 bad_request",
			orders:  []string{"pipelined"},
			proxied: &passage{"200 held, 400 HAProxy", []string{"pipelined"}},
		},
		{
			name:   "second body that never comes whole",
			sends:  withBody(v1("first", "i")) + framed(length, refused[:20]),
			stays:  true,
			want:   "200 held, 400 bad_request",
			orders: []string{"first"},
		},
		{
			name:  "body over 16 KiB",
			sends: withBody(strings.Repeat(" ", 16<<10) + refused),
			want:  "413 too_large",
		},
		{
			name:  "body over 16 KiB in chunks",
			sends: framed(inChunks, chunked(strings.Repeat(" ", 16<<10)+refused)),
			want:  "413 too_large",
		},
		{
			name:    "length and chunks",
			sends:   framed("Content-Length: 5\r\n"+inChunks, chunked(v1("two-ends", "i"))),
			want:    "400 bad_request",
			says:    "Transfer-Encoding",
			proxied: &passage{"200 held", []string{"two-ends"}},
		},
		{
			name:    "chunks and length",
			sends:   framed(inChunks+"content-length: 5\r\n", chunked(v1("chunks-first", "i"))) + withBody(refused),
			want:    "400 bad_request",
			says:    "Transfer-Encoding",
			proxied: &passage{"200 held", []string{"chunks-first"}},
		},
		{
			name:    "length and chunks for nothing",
			sends:   "GET /nothing HTTP/1.1\r\n" + host + "Content-Length: 5\r\n" + inChunks + "\r\n0\r\n\r\n",
			want:    "400 bad_request",
			says:    "Transfer-Encoding",
			proxied: &passage{want: "404 bad_request"},
		},
		{
			name:    "unknown transfer encoding",
			sends:   framed(length+"Transfer-Encoding: xchunked\r\n", refused),
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:    "identity transfer encoding",
			sends:   framed(length+"Transfer-Encoding: identity\r\n", refused),
			want:    "400 bad_request",
			says:    "Transfer-Encoding",
			proxied: stopped(),
		},
		{
			name:    "length twice",
			sends:   framed("Content-Length: 59\r\nContent-Length: 59\r\n", v1("length-twice", "i")),
			want:    "400 bad_request",
			proxied: &passage{"200 held", []string{"length-twice"}},
		},
		{
			name:    "two lengths",
			sends:   framed(length+"Content-Length: 5\r\n", refused),
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:    "negative length",
			sends:   framed("Content-Length: -5\r\n", refused),
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:    "signed length",
			sends:   framed("Content-Length: +5\r\n", refused),
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:  "huge length",
			sends: framed("Content-Length: 9000000000000000000\r\n", refused),
			stays: true,
			want:  "413 too_large",
		},
		{
			name:    "length beyond 64 bits",
			sends:   framed("Content-Length: 99999999999999999999\r\n", refused),
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:   "chunks",
			sends:  framed(inChunks, chunked(v1("chunks", "i"))),
			want:   "200 held",
			orders: []string{"chunks"},
		},
		{
			name:    "negative chunk size",
			sends:   framed(inChunks, "-5\r\n"+refused),
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:    "huge chunk size",
			sends:   framed(inChunks, "7fffffffffffffff\r\n"+refused),
			want:    "400 bad_request",
			proxied: stopped(),
		},
		{
			name:    "chunk of 1 GB",
			sends:   framed(inChunks, "40000000\r\n"+refused),
			stays:   true,
			want:    "413 too_large",
			proxied: &passage{want: "400 bad_request"},
		},
		{
			name:    "space before the colon",
			sends:   framed("Content-Length : 5\r\n", refused),
			want:    "400 bad_request",
			proxied: stopped(),
		},
	}
}
