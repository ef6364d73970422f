package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
)

const (
	// shownFor is how long all callers get the same answer. So a sale costs a few looks at it a
	// second, however many ask.
	shownFor = 200 * time.Millisecond
	// cacheFor is how long browsers and caches may keep an answer.
	cacheFor = "public, max-age=1"
	// renewFor is how old the time in an answer may be that a caller keeps by a 304. Before the sale
	// opens pages count down by that time, so it may not be older than a cache makes it.
	renewFor, renewBefore = 10, 1 // seconds

	availabilityMethods = "GET, HEAD, OPTIONS"
)

// availability answers what anybody may know of a sale.
func (p *Public) availability(ctx *fasthttp.RequestCtx, sale []byte) {
	f := p.unknown
	p.opt.Origins.allow(ctx)
	switch l, known := p.deps.Gate.Lane(sale); {
	case ctx.IsOptions():
		ctx.Response.Header.Set("Allow", availabilityMethods)
		ctx.SetStatusCode(fasthttp.StatusNoContent)
	case !ctx.IsGet() && !ctx.IsHead():
		ctx.Response.Header.Set("Allow", availabilityMethods)
		p.turnAway(ctx, fasthttp.StatusMethodNotAllowed, gate.Malformed("method", "must be GET or HEAD"))
	case known:
		f = p.front(l)
		f.shows(ctx, l)
	case p.deps.Gate.Ready():
		p.refuse(ctx, f, gate.Refuse(gate.UnknownSale))
	default:
		p.refuse(ctx, f, gate.Refuse(gate.Unavailable))
	}
	f.metrics.looks[ctx.Response.StatusCode()].Inc()
}

func (p *Public) refuse(ctx *fasthttp.RequestCtx, f *front, v gate.Verdict) {
	ctx.Response.Header.Set("Cache-Control", cacheFor)
	p.answer(ctx, f, v)
}

// shows answers with the newest picture of a lane's sale.
func (f *front) shows(ctx *fasthttp.RequestCtx, l *lane.Lane) {
	now := time.Now()
	s := f.shown.newest(l, f, now)
	ctx.Response.Header.Set("Cache-Control", cacheFor)
	if s.status != fasthttp.StatusOK {
		respond(ctx, s.status, s.body)
		return
	}
	if known := s.known(ctx.Request.Header.Peek("If-None-Match")); len(known) > 0 {
		ctx.Response.Header.SetBytesV("ETag", known) // not the newest: the body that it names has an older time
		ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	ctx.Response.Header.SetBytesV("ETag", s.etag)
	respond(ctx, s.status, s.body)
}

// shown has the picture of a sale that all callers get for a moment.
type shown struct {
	picture atomic.Pointer[picture]
	making  sync.Mutex
}

// picture is an answer. It is never changed.
type picture struct {
	made   time.Time
	status int
	body   []byte
	etag   []byte // W/"CONTENT-TIME": the content without the time, and the second of it
	second int64
	renew  int64 // seconds by which the time of a body may differ that is as good
}

// newest returns the picture, or makes the next one if it is too old.
func (s *shown) newest(l *lane.Lane, f *front, now time.Time) *picture {
	if p := s.picture.Load(); p != nil && now.Sub(p.made) < shownFor {
		return p
	}
	s.making.Lock()
	defer s.making.Unlock()
	if p := s.picture.Load(); p != nil && now.Sub(p.made) < shownFor {
		return p // somebody else has made it meanwhile
	}
	p := draw(l, f, now)
	s.picture.Store(p)
	return p
}

func draw(l *lane.Lane, f *front, now time.Time) *picture {
	state, v, ok := l.Newest()
	if !ok {
		return &picture{made: now, status: status(v.Code), body: f.answers.Body(v)}
	}
	a := state.Availability()
	p := &picture{made: now, status: fasthttp.StatusOK, body: encode(a), second: a.Now.Unix(), renew: renewFor}
	if a.Now.Before(a.OpensAt) {
		p.renew = renewBefore
	}
	a.Now = time.Time{}
	content := sha256.Sum256(encode(a))
	p.etag = []byte(`W/"` + hex.EncodeToString(content[:8]) + "-" + strconv.FormatInt(p.second, 10) + `"`)
	return p
}

// encode writes texts, numbers and times before the year 2200, which all have a JSON.
func encode(a gate.Availability) []byte {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return text
}

// known returns the tag, of those in an If-None-Match, of a body that is as good as the picture's:
// it has the same content, and nearly the same time. It returns nil if there is none.
func (p *picture) known(tags []byte) []byte {
	content := p.etag[len(weak) : bytes.IndexByte(p.etag, '-')+1]
	for tag := range bytes.SplitSeq(tags, comma) {
		tag = bytes.TrimSpace(tag)
		if string(tag) == "*" {
			return p.etag
		}
		time, same := bytes.CutPrefix(bytes.TrimPrefix(tag, weak), content)
		second, ok := gate.ParseDigits(bytes.TrimSuffix(time, quote))
		if same && ok && max(p.second-second, second-p.second) <= p.renew {
			return tag
		}
	}
	return nil
}

var weak, quote, comma = []byte("W/"), []byte(`"`), []byte(",")
