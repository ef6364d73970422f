package web

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

const (
	expectation = "100-continue"
	refused     = "refused" // what an expectation becomes that nobody can meet
)

// understand makes of a request's header what HTTP means by it: HTTP compares the
// values of Connection and Expect without case, and has lists of them; fasthttp
// does neither. It is called before the body is read.
func understand(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if len(h.Peek(fasthttp.HeaderConnection)) > 0 && !h.ConnectionClose() {
		for value := range listed(h, fasthttp.HeaderConnection) {
			if bytes.EqualFold(value, []byte("close")) {
				h.SetConnectionClose()
			}
		}
	}
	if len(h.Peek(fasthttp.HeaderExpect)) > 0 {
		expect(h)
	}
	return fasthttp.RequestConfig{}
}

// expect decides whether the client is told to go on sending. It is not where its
// body is refused unread.
func expect(h *fasthttp.RequestHeader) {
	met := true
	for value := range listed(h, fasthttp.HeaderExpect) {
		met = met && bytes.EqualFold(value, []byte(expectation))
	}
	h.Del(fasthttp.HeaderExpect)
	switch {
	case !h.IsHTTP11(): // which has no expectations
	case !met:
		h.Set(fasthttp.HeaderExpect, refused)
		h.SetContentLength(0) // so that nobody waits for the body
	case h.ContentLength() > maxBody: // fasthttp says at once that it is too large
	default:
		h.Set(fasthttp.HeaderExpect, expectation)
	}
}

// expectsTooMuch reports whether a request wants what nobody can meet.
func expectsTooMuch(h *fasthttp.RequestHeader) bool {
	return string(h.Peek(fasthttp.HeaderExpect)) == refused
}

// listed yields the values of a header, which may stand in several lines and have
// commas between.
func listed(h *fasthttp.RequestHeader, name string) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for key, line := range h.AllInOrder() {
			if string(key) != name {
				continue
			}
			for value := range bytes.SplitSeq(line, []byte(",")) {
				if value = bytes.TrimSpace(value); len(value) > 0 && !yield(value) {
					return
				}
			}
		}
	}
}

// framedTwice reports whether a request says in two ways where its body ends.
// fasthttp forgets the length then, and a proxy in front may have gone by it.
func framedTwice(h *fasthttp.RequestHeader) bool {
	var length, transfer bool
	for key := range h.AllInOrder() {
		switch string(key) {
		case fasthttp.HeaderContentLength:
			length = true
		case fasthttp.HeaderTransferEncoding:
			transfer = true
		}
	}
	return length && transfer
}
