package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// role is what a caller of the admin listener may do.
type role int

const (
	reader   role = iota + 1 // look at everything but secrets
	operator                 // change sales and sign links too
)

const (
	minToken = 16 // bytes
	// loginDelay is the delay of the answer to a failed login. maxFailing is how many failed logins
	// wait at once; more are turned away without a look at their token.
	loginDelay = time.Second
	maxFailing = 16
)

// Tokens let callers in at the admin listener. A nil or empty *Tokens lets nobody in; Anybody lets
// in whoever calls localhost.
type Tokens struct {
	known gate.Replaceable[[]token]
	open  bool // no token is needed
}

// Replace puts the other tokens in the place of t's. Tokens of Anybody still need none.
func (t *Tokens) Replace(others *Tokens) { t.known.Replace(&others.known) }

type token struct {
	name string // of its holder, for the ledger
	hash [sha256.Size]byte
	role role
}

// Anybody returns tokens that ask for none: whoever reaches the listener as
// localhost may operate.
func Anybody() *Tokens { return &Tokens{open: true} }

// AddOperators adds bearer tokens that may operate, written as "NAME:TOKEN,…".
// A token without a name is "operator". Its errors never show a token.
func (t *Tokens) AddOperators(text string) error { return t.add(text, operator, "operator") }

// AddReaders adds bearer tokens that may only read. A token without a name is
// "reader".
func (t *Tokens) AddReaders(text string) error { return t.add(text, reader, "reader") }

func (t *Tokens) add(text string, r role, anonymous string) error {
	for i, item := range gate.Items(text) {
		name, secret, named := strings.Cut(item, ":")
		if !named {
			name, secret = anonymous, name
		}
		strange := gate.Strange(item, gate.Visible)
		switch {
		case strange != "":
			return fmt.Errorf("%s token %d has %s: it must be printable ASCII without spaces (make one with: openssl "+
				"rand -hex 32)", anonymous, i+1, strange)
		case !gate.ValidName(name):
			return fmt.Errorf("%s token %d: its name must be 1 to %d of A-Z a-z 0-9 _ . -", anonymous,
				i+1, gate.MaxName)
		case len(secret) < minToken:
			return fmt.Errorf("%s token %d: must have at least %d printable characters without spaces (make one "+
				"with: openssl rand -hex 32)", anonymous, i+1, minToken)
		}
		added := token{name, sha256.Sum256([]byte(secret)), r}
		known := t.known.Now()
		for _, k := range known {
			if k.hash == added.hash {
				return fmt.Errorf("%s token %d is given twice", anonymous, i+1)
			}
		}
		t.known.Set(append(slices.Clip(known), added))
	}
	return nil
}

// find returns the token that was shown. Its time does not depend on how much of the token is
// right.
func (t *Tokens) find(shown string) (found token, ok bool) {
	if t == nil {
		return token{}, false
	}
	hash := sha256.Sum256([]byte(shown))
	for _, k := range t.known.Now() {
		if subtle.ConstantTimeCompare(hash[:], k.hash[:]) == 1 {
			found, ok = k, true
		}
	}
	return found, ok
}

// shown returns the token that a request shows.
func (t *Tokens) shown(r *http.Request) (token, bool) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	known, ok := t.find(strings.TrimSpace(text))
	return known, ok && strings.EqualFold(scheme, "Bearer") // HTTP compares schemes without case
}

// guard checks tokens, and slows failed logins down.
type guard struct {
	tokens  *Tokens
	failing chan struct{} // has room for the failed logins that wait
}

func newGuard(tokens *Tokens) *guard {
	return &guard{tokens, make(chan struct{}, maxFailing)}
}

// handler answers a call that was let in; who is the caller's name.
type handler func(w http.ResponseWriter, r *http.Request, who string)

// allow returns a handler that lets callers with at least the given role through to next.
func (g *guard) allow(least role, next handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.tokens != nil && g.tokens.open {
			if !loopbackHost(r.Host) {
				writeError(w, http.StatusForbidden,
					errors.New("without tokens the admin listener answers only calls to localhost"))
				return
			}
			next(w, r, "operator")
			return
		}
		known, ok := g.tokens.shown(r)
		switch {
		case !ok:
			g.failLogin(w, r.Header.Get("Authorization"))
		case known.role < least:
			writeError(w, http.StatusForbidden, fmt.Errorf("the token of %s may only read", known.name))
		default:
			next(w, r, known.name)
		}
	})
}

// operates reports whether a request that was let in has an operator's token.
func (g *guard) operates(r *http.Request) bool {
	known, ok := g.tokens.shown(r)
	return g.tokens != nil && g.tokens.open || ok && known.role >= operator
}

// failLogin answers a failed login after loginDelay. Few wait at once, so guessing is slow from
// many connections too; a login with a known token never waits. The answer reveals nothing about
// the known tokens.
func (g *guard) failLogin(w http.ResponseWriter, authorization string) {
	select {
	case g.failing <- struct{}{}:
		defer func() { <-g.failing }()
	default:
		writeError(w, http.StatusTooManyRequests, errors.New("too many failed logins at once: try again in a second"))
		return
	}
	time.Sleep(loginDelay) // also if the caller seems gone: half-closing a connection must not make guessing quick
	w.Header().Set("WWW-Authenticate", `Bearer realm="flashgate"`)
	if scheme, _, _ := strings.Cut(authorization, " "); !strings.EqualFold(scheme, "Bearer") {
		writeError(w, http.StatusUnauthorized, errors.New("show a token: Authorization: Bearer TOKEN"))
		return
	}
	writeError(w, http.StatusUnauthorized,
		errors.New("this gate does not know the token: send Authorization: Bearer TOKEN with one of those "+
			"that it has in FLASHGATE_ADMIN_TOKEN or FLASHGATE_ADMIN_READ_TOKEN, without the name and the "+
			"colon before "+
			"it, which are no part of it"))
}

// loopbackHost reports whether a Host header names localhost or a loopback address. A web page
// whose own name was made to resolve to 127.0.0.1 sends that name instead.
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	addr, _ := netip.ParseAddr(strings.Trim(host, "[]")) // an unparsable host is not loopback
	return addr.IsLoopback() || strings.EqualFold(host, "localhost")
}
