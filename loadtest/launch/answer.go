package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// statuses is what PortOne may be answered: the status of each code. It is
// written down here a second time, so that a gate cannot hide its own mistakes.
func statuses() map[string]int {
	return map[string]int{
		"held": 200, "sold_out": 409, "not_open": 403, "closed": 403, "paused": 403, "buyer_limit": 409,
		"order_changed": 409, "already_paid": 409, "attempt_ended": 409, "attempt_limit": 409, "amount_mismatch": 409,
		"bad_signature": 403, "expired_link": 403, "not_allowed": 403, "shop_unavailable": 503, shopRefused: 409,
		"unknown_sale": 404, "unknown_sku": 404, "bad_request": 400, "too_large": 413,
		"busy": 503, "unavailable": 503, "recovering": 503, "not_durable": 503, "undecided": 503,
	}
}

// shopRefused is the code of an order that had its units and that the shop said no to.
const shopRefused = "shop_refused"

// unsure reports whether the code says that no decision could be made safe: the
// order may be held all the same.
func unsure(code string) bool {
	switch code {
	case "busy", "unavailable", "recovering", "not_durable", "shop_unavailable", "undecided":
		return true
	}
	return false
}

// answer is what became of a request. Times count from the start of the run.
type answer struct {
	due, sent, done time.Duration
	code            string // of the body; empty where there was none
	reason          string // of the body, where the shop refused
	failure         string // why there was no answer
	ours            bool   // the failure is this machine's, not the gate's
	problem         string // what is wrong with the answer; empty for nothing
}

func (a *answer) held() bool { return a.code == "held" }

func (a *answer) latency() time.Duration { return a.done - a.due }

// maxShown is how much of an answer that cannot be read is shown, in bytes.
const maxShown = 100

// read takes an answer apart, and says what is wrong with it whatever was asked.
func (a *answer) read(status int, body []byte, known map[string]int) {
	var said struct{ Code, Reason, ErrorMessage string }
	err := json.Unmarshal(body, &said)
	want, ok := known[said.Code]
	switch {
	case err != nil || !ok:
		a.problem = fmt.Sprintf("a body without a code that there is: %d %q", status, body[:min(len(body), maxShown)])
		return
	case status != want:
		a.problem = fmt.Sprintf("%s with the status %d", said.Code, status)
	case status != http.StatusOK && (said.Reason == "" || said.ErrorMessage == ""):
		a.problem = said.Code + " without a sentence for the buyer"
	}
	a.code = said.Code
	if a.code == shopRefused {
		a.reason = said.Reason
	}
}

// fail notes why there was no answer.
func (a *answer) fail(err error) {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), strings.Contains(err.Error(), "Client.Timeout"):
		a.failure = "timed out"
	case errors.Is(err, syscall.ECONNREFUSED):
		a.failure = "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		a.failure = "connection reset"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		a.failure, a.ours = "this machine has no port left (net.ipv4.ip_local_port_range)", true
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		a.failure, a.ours = "this machine has no file descriptor left (ulimit -n)", true
	case strings.HasSuffix(err.Error(), "EOF"):
		a.failure = "connection closed"
	default:
		a.failure = err.Error()
	}
}

// rules are what may be answered to a request in this sale.
type rules struct {
	opens, closes time.Duration // from the start of the run; zero where nobody knows
	known         bool          // the sale's settings are known
	perBuyer      int64
	paused        bool
	asks          bool // the shop has the last word
}

// clockSlack is how far this machine's clock may be from the gate's.
const clockSlack = 2 * time.Second

// check says why the code may not be answered to a request of this kind; "" says
// that it may.
func (r *rules) check(k kind, a *answer) string {
	switch {
	case unsure(a.code):
		return ""
	case k.hostile():
		if a.code != hostileCode(k) {
			return a.code + " for " + k.String()
		}
		return ""
	}
	early, late := a.sent < r.opens+clockSlack, a.done > r.closes-clockSlack
	allowed := false
	switch a.code {
	case "held":
		allowed = !r.known || a.done > r.opens-clockSlack
	case "sold_out", "attempt_ended": // an order's repeat may overtake it, and end before it
		allowed = true
	case shopRefused:
		allowed = !r.known || r.asks
	case "not_open":
		allowed = !r.known || early
	case "closed":
		allowed = !r.known || late
	case "paused":
		allowed = !r.known || r.paused
	case "buyer_limit":
		allowed = !r.known || r.perBuyer > 0
	}
	if allowed {
		return ""
	}
	return a.code + " for " + k.String()
}

// hostileCode is the refusal of a request that nobody at PortOne would send.
func hostileCode(k kind) string {
	switch k {
	case unknownSale:
		return "unknown_sale"
	case unknownSKU:
		return "unknown_sku"
	case forged, stolen:
		return "bad_signature"
	}
	return "bad_request"
}

// String says what the request is, in a sentence's middle.
func (k kind) String() string {
	switch k {
	case first:
		return "an order"
	case again:
		return "an order sent again"
	case broken:
		return "a broken body"
	case unknownSale:
		return "an unknown sale"
	case unknownSKU:
		return "an unknown SKU"
	case forged:
		return "a forged link"
	}
	return "another order's link"
}
