package web

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// maxOrigins is how many origins may be listed.
const maxOrigins = 100

// Origins are where the pages are from whose scripts may read the availability of sales. The zero
// value is no other than the gate's own, which has no pages. It never changes.
type Origins struct {
	any    bool
	listed map[string]struct{}
}

// ParseOrigins reads origins as browsers send them, or * for all. Its errors name the origin and
// say how to write it.
func ParseOrigins(words []string) (Origins, error) {
	o := Origins{listed: make(map[string]struct{}, len(words))}
	for _, word := range words {
		word = strings.TrimSpace(word)
		switch origin := originOf(word); {
		case word == "*":
			o.any = true
		case origin == "":
			return Origins{}, fmt.Errorf("%q is no origin: write it as https://shop.example.com, or * for all", word)
		case origin != word:
			return Origins{}, fmt.Errorf("%q: browsers send it as %s, so write it so", word, origin)
		default:
			o.listed[word] = struct{}{}
		}
	}
	switch {
	case o.any && len(words) > 1:
		return Origins{}, errors.New("* is every origin: leave the others out")
	case len(o.listed) > maxOrigins:
		return Origins{}, fmt.Errorf("%d origins: at most %d can be listed, or * for all", len(o.listed), maxOrigins)
	}
	return o, nil
}

// originOf returns a URL's origin as browsers send it; empty if the text is no URL with one.
func originOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Hostname() == "" || strings.ContainsAny(u.Host, "*%") {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case scheme == "https":
		host = strings.TrimSuffix(host, ":443")
	case scheme == "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return ""
	}
	for _, c := range host {
		if c > 127 {
			return "" // browsers send such a name in Punycode
		}
	}
	return scheme + "://" + strings.TrimSuffix(host, ":")
}

// allow lets the request's page read the answer, if it is from one of the origins.
func (o *Origins) allow(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	if !o.any {
		if len(o.listed) == 0 {
			return
		}
		h.Set("Vary", "Origin")
		origin := ctx.Request.Header.Peek("Origin")
		if _, is := o.listed[string(origin)]; !is {
			return
		}
		h.SetBytesV("Access-Control-Allow-Origin", origin)
	} else {
		h.Set("Access-Control-Allow-Origin", "*")
	}
	if !ctx.IsOptions() {
		h.Set("Access-Control-Expose-Headers", "ETag")
		return
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", "If-None-Match, Cache-Control, Pragma")
	h.Set("Access-Control-Max-Age", "86400")
}
