package web

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

const (
	expectation = "100-continue"
	refused     = "refused" // the value that an expectation gets which the gate cannot meet
)

// understand normalizes a request's header for fasthttp, before the body is read: in HTTP,
// Connection and Expect are lists whose values are compared without case; fasthttp does neither.
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

// expect decides whether the client is told to go on sending. A client whose body is refused unread
// is not.
func expect(h *fasthttp.RequestHeader) {
	met := true
	for value := range listed(h, fasthttp.HeaderExpect) {
		met = met && bytes.EqualFold(value, []byte(expectation))
	}
	h.Del(fasthttp.HeaderExpect)
	switch {
	case !h.IsHTTP11(): // HTTP/1.0 has no expectations
	case !met:
		h.Set(fasthttp.HeaderExpect, refused)
		h.SetContentLength(0) // so that nobody waits for the body
	case h.ContentLength() > maxBody: // fasthttp says at once that it is too large
	default:
		h.Set(fasthttp.HeaderExpect, expectation)
	}
}

// expectsTooMuch reports whether a request has an expectation that the gate cannot meet.
func expectsTooMuch(h *fasthttp.RequestHeader) bool {
	return string(h.Peek(fasthttp.HeaderExpect)) == refused
}

// listed yields the values of a header, which may have several lines and several values in a line.
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

// framedTwice reports whether a request says in two ways where its body ends. fasthttp then ignores
// Content-Length, but a proxy in front may have used it.
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
