package web

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/portone"
)

const (
	maxBody      = 16 << 10         // PortOne's largest confirm has a few hundred bytes
	readTimeout  = 2 * time.Second  // of one request, from its first byte
	writeTimeout = 2 * time.Second  // of one answer
	idleTimeout  = 75 * time.Second // of a kept connection; longer than load balancers keep theirs
)

// PublicDeps are the dependencies of a Public. All but Refusals are needed.
type PublicDeps struct {
	Gate     *lane.Gate
	Answers  *portone.Answers
	Metrics  *Metrics
	Secrets  *portone.Secrets // that V2 signs with; portone.Unverified takes what nobody signed
	Refusals *RefusalLog      // nil logs none
	Orders   Orders           // that webhooks are about
	Forward  Forwarder        // of webhooks to the shop
	Log      *slog.Logger
}

// PublicOptions of a Public. The zero value takes calls from everywhere.
type PublicOptions struct {
	Lookups        portone.Lookups // what can be looked up
	Store          portone.Store   // V2's that is the shop's; empty: any
	Sources        Sources
	Origins        Origins // of pages that may read the availability of sales
	Most           int     // connections that may be open; 0: any number
	MostPerAddress int     // connections that one address may have open, unless Sources knows it; 0: any number
}

// Public answers PortOne's confirm calls, takes its webhooks, and tells anybody what is available.
type Public struct {
	deps PublicDeps
	opt  PublicOptions

	server    *fasthttp.Server
	fronts    fronts
	unknown   *front // for requests that name no known sale
	strangers gate.NowAndThen
	hooks     chan struct{} // has room for the webhooks that are taken at once

	refused, refusedHooks *refusals // confirms, webhooks

	draining atomic.Bool

	mu       sync.Mutex // over what follows
	listener net.Listener
	over     bool // Shutdown was called
}

// NewPublic returns the public listener's server.
func NewPublic(deps PublicDeps, opt PublicOptions) *Public {
	p := &Public{
		deps: deps, opt: opt,
		unknown: &front{answers: deps.Answers, metrics: deps.Metrics.sale("")},
		hooks:   make(chan struct{}, maxWebhooks),
		refused: newRefusals(), refusedHooks: newRefusals(),
	}
	p.server = &fasthttp.Server{
		Handler:                      p.handle,
		HeaderReceived:               understand,
		Name:                         "flashgate",
		NoDefaultDate:                true,
		NoDefaultContentType:         true,
		MaxRequestBodySize:           maxBody,
		DisablePreParseMultipartForm: true,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		CloseOnShutdown:              true,
		SecureErrorLogMessage:        true,
		ErrorHandler:                 p.unreadable,
		Logger:                       quiet{},
	}
	return p
}

// quiet drops fasthttp's log lines about broken connections.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// Serve answers requests at ln until Shutdown. After a Shutdown it returns at once.
func (p *Public) Serve(ln net.Listener) error {
	if p.opt.MostPerAddress > 0 {
		ln = &limited{
			Listener: ln, most: p.opt.MostPerAddress, exempt: p.opt.Sources.known,
			refused: p.deps.Metrics.crowded, open: map[netip.Prefix]int{},
		}
	}
	in := newCrowd(ln, "public", p.opt.Most, p.deps.Metrics, p.deps.Log)
	p.mu.Lock()
	p.listener = in
	over := p.over
	p.mu.Unlock()
	if over {
		return in.Close()
	}
	return p.server.Serve(timed{in})
}

// Drain makes the gate not ready, so that load balancers send no more requests. It goes on
// answering.
func (p *Public) Drain() { p.draining.Store(true) }

// Shutdown stops accepting and returns when every request under way has been
// answered.
func (p *Public) Shutdown() error {
	p.mu.Lock()
	p.over = true
	ln := p.listener
	p.mu.Unlock()
	err := p.server.Shutdown()
	if ln != nil {
		_ = ln.Close() // the server has closed it already, unless it was not serving yet
	}
	return err
}

// Ready reports whether a load balancer should send requests here.
func (p *Public) Ready() bool {
	return p.deps.Gate.Ready() && p.deps.Gate.Warm() && !p.draining.Load()
}

var confirmPath, webhookPath, salesPath = []byte("/confirm/"), []byte("/webhook"), []byte("/sales/")

func (p *Public) handle(ctx *fasthttp.RequestCtx) {
	defer p.survive(ctx)
	received, open := arrival(ctx)
	if !open {
		p.answer(ctx, p.unknown, gate.Refuse(gate.Busy)) // nobody reads it
		ctx.SetConnectionClose()
		return
	}
	if p.draining.Load() {
		ctx.SetConnectionClose() // so that no request is on its way when Shutdown closes idle connections
	}
	if framedTwice(&ctx.Request.Header) {
		linger(ctx) // proxies may disagree where this request ends
		p.turnAway(ctx, fasthttp.StatusBadRequest,
			gate.Malformed("Transfer-Encoding", "must not come with a Content-Length"))
		return
	}
	if expectsTooMuch(&ctx.Request.Header) {
		linger(ctx) // the client may send its body nevertheless
		p.turnAway(ctx, fasthttp.StatusExpectationFailed,
			gate.Malformed("Expect", "must be "+expectation+", or not be given"))
		return
	}
	path := ctx.URI().PathOriginal()
	if sale, ok := bytes.CutPrefix(path, confirmPath); ok {
		if p.posted(ctx) {
			p.confirm(ctx, sale, received)
		}
		return
	}
	if rest, ok := bytes.CutPrefix(path, webhookPath); ok && (len(rest) == 0 || rest[0] == '/') {
		if p.posted(ctx) {
			p.webhook(ctx, string(bytes.TrimPrefix(rest, []byte("/"))))
		}
		return
	}
	if sale, ok := bytes.CutPrefix(path, salesPath); ok {
		p.availability(ctx, sale)
		return
	}
	switch string(path) {
	case "/healthz":
		plain(ctx, fasthttp.StatusOK, "ok\n")
	case "/readyz":
		if p.Ready() {
			plain(ctx, fasthttp.StatusOK, "ready\n")
		} else {
			plain(ctx, fasthttp.StatusServiceUnavailable, "not ready\n")
		}
	default:
		p.turnAway(ctx, fasthttp.StatusNotFound,
			gate.Malformed("path", "must be /confirm/SALE, /webhook or /sales/SALE"))
	}
}

// posted reports whether the method is PortOne's, POST; if not, it answers the request.
func (p *Public) posted(ctx *fasthttp.RequestCtx) bool {
	if ctx.IsPost() {
		return true
	}
	ctx.Response.Header.Set("Allow", "POST")
	p.turnAway(ctx, fasthttp.StatusMethodNotAllowed, gate.Malformed("method", "must be POST"))
	return false
}

// survive turns a panic into one refused request.
func (p *Public) survive(ctx *fasthttp.RequestCtx) {
	if cause := recover(); cause != nil {
		p.deps.Metrics.panics.Inc()
		p.deps.Log.Error("a request made the gate panic", "panic", cause, "stack", string(debug.Stack()))
		p.answer(ctx, p.unknown, gate.Refuse(gate.Unavailable))
	}
}

// confirm decides one confirm call and answers it.
func (p *Public) confirm(ctx *fasthttp.RequestCtx, sale []byte, received time.Time) {
	r := p.deps.Gate.Request(received)
	f, v := p.admit(ctx, sale, r)
	p.answer(ctx, f, v)
	f.metrics.observe(v, received)
	if v.Code != gate.Held {
		p.logRefusal(ctx, sale, r, v)
	}
	p.deps.Gate.Release(r)
}

// admit returns the verdict on a confirm, and the front that answers for its sale.
func (p *Public) admit(ctx *fasthttp.RequestCtx, sale []byte, r *gate.Request) (*front, gate.Verdict) {
	l, known := p.deps.Gate.Lane(sale)
	switch {
	case known:
		return p.front(l), p.ask(ctx, l, r)
	case p.deps.Gate.Ready():
		return p.unknown, gate.Refuse(gate.UnknownSale)
	}
	return p.unknown, gate.Refuse(gate.Unavailable)
}

// ask refuses calls that are not PortOne's, and calls of a version that the sale does not take. The
// lane decides the others.
func (p *Public) ask(ctx *fasthttp.RequestCtx, l *lane.Lane, r *gate.Request) gate.Verdict {
	var link gate.Link
	if v, ok := readLink(&link, ctx.QueryArgs()); !ok {
		return v
	}
	header, body := &ctx.Request.Header, ctx.PostBody()
	if len(header.Peek("Content-Encoding")) > 0 {
		return compressed()
	}
	version, v := portone.Decode(&r.Confirm, header.ContentType(), body, p.opt.Store)
	r.Confirm.Version = version
	if version == gate.NoVersion {
		return v
	}
	if v, ok := p.deps.Secrets.Takes(version, l.Settings().Accept, p.opt.Lookups); !ok {
		r.Doubt(v)
	}
	if version == gate.V2 {
		if v, ok := p.signed(header, body); !ok {
			return r.Doubt(v)
		}
	}
	if p.refusesConfirm(ctx, r.Received) { // after the checks that sort out the internet's noise
		return r.Doubt(gate.Refuse(gate.NotAllowed))
	}
	return l.Confirm(r, &link)
}

func compressed() gate.Verdict {
	return gate.Malformed("Content-Encoding", "must not be given: bodies are not decompressed")
}

// signed reports whether V2 has signed the body. If not, the verdict says why.
func (p *Public) signed(header *fasthttp.RequestHeader, body []byte) (gate.Verdict, bool) {
	return p.deps.Secrets.Verify(body, string(header.Peek("Webhook-Id")),
		string(header.Peek("Webhook-Timestamp")), string(header.Peek("Webhook-Signature")))
}

// readLink reads the query of a confirm_url. It ignores unknown parameters and refuses a
// parameter that is given twice, because nobody could tell which one was meant.
func readLink(l *gate.Link, args *fasthttp.Args) (gate.Verdict, bool) {
	for key, value := range args.All() {
		var field *[]byte
		switch string(key) {
		case "items":
			field = &l.Items
		case "buyer":
			field = &l.Buyer
		case "amount":
			field = &l.Amount
		case "exp":
			field = &l.Expires
		case "v":
			field = &l.Version
		case "kid":
			field = &l.KeyID
		case "sig":
			field = &l.Signature
		default:
			continue
		}
		if *field != nil {
			return gate.Malformed(string(key), "must be given once"), false
		}
		if *field = value; value == nil {
			*field = []byte{}
		}
	}
	return gate.Verdict{}, true
}

// front returns the front for a lane's sale. It makes a new one when the sale's settings have
// changed.
func (p *Public) front(l *lane.Lane) *front {
	if known := p.fronts.find(l); known != nil {
		return known
	}
	settings := l.Settings()
	made := &front{
		settings: settings, answers: p.deps.Answers.With(settings.Messages), metrics: p.deps.Metrics.sale(l.Name()),
	}
	p.fronts.add(l, made, p.current)
	return made
}

// current reports whether a lane is in use. The lane of a deleted sale is not.
func (p *Public) current(l *lane.Lane) bool {
	now, known := p.deps.Gate.Lane([]byte(l.Name()))
	return known && now == l
}

func (p *Public) answer(ctx *fasthttp.RequestCtx, f *front, v gate.Verdict) {
	respond(ctx, status(v.Code), f.answers.Body(v))
}

// turnAway answers a request that is not a confirm call.
func (p *Public) turnAway(ctx *fasthttp.RequestCtx, status int, v gate.Verdict) {
	respond(ctx, status, p.deps.Answers.Body(v))
}

// unreadable answers a request that fasthttp could not read. A connection on which no byte ever
// came, such as a load balancer's check, is closed without an answer.
func (p *Public) unreadable(ctx *fasthttp.RequestCtx, err error) {
	if ctx.ConnRequestNum() == 0 && !began(ctx) { // bytes of a later request may have come with the one before
		_ = ctx.Conn().Close() // fasthttp closes it too, after it has tried to answer
		return
	}
	v := gate.Malformed("request", "must be readable HTTP/1.1")
	if err == fasthttp.ErrBodyTooLarge {
		v = gate.Refuse(gate.TooLarge)
	}
	received, open := arrival(ctx)
	if !open {
		p.answer(ctx, p.unknown, gate.Refuse(gate.Busy)) // nobody reads it
		return
	}
	linger(ctx)
	// fasthttp leaves the deadline of the answer before, which has passed
	_ = ctx.Conn().SetWriteDeadline(time.Now().Add(writeTimeout))
	p.answer(ctx, p.unknown, v)
	p.unknown.metrics.observe(v, received)
}

func respond(ctx *fasthttp.RequestCtx, status int, body []byte) {
	ctx.SetStatusCode(status)
	ctx.Response.Header.SetContentType("application/json; charset=utf-8")
	ctx.Response.SetBodyRaw(body)
}

func plain(ctx *fasthttp.RequestCtx, status int, text string) {
	ctx.SetStatusCode(status)
	ctx.Response.Header.SetContentType("text/plain; charset=utf-8")
	ctx.Response.SetBodyString(text)
}
