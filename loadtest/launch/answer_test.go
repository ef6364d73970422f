package launch

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAnswersAreReadByStatusAndBody(t *testing.T) {
	t.Parallel()
	f := func(status int, body, code, problem string) {
		var a answer
		a.read(status, []byte(body), statuses())
		if a.code != code || (a.problem == "") != (problem == "") || !strings.Contains(a.problem, problem) {
			t.Errorf("%d %s is %+v, want code %q, problem %q", status, body, a, code, problem)
		}
	}
	const sentence = `,"reason":"r","errorMessage":"e"}`
	f(200, `{"code":"held"}`, "held", "")
	f(409, `{"code":"sold_out"`+sentence, "sold_out", "")
	f(503, `{"code":"busy"`+sentence, "busy", "")
	f(409, `{"code":"shop_refused"`+sentence, "shop_refused", "")
	f(503, `{"code":"shop_unavailable"`+sentence, "shop_unavailable", "")
	f(201, `{"code":"held"}`, "held", "held with the status 201")
	f(200, `{"code":"sold_out"`+sentence, "sold_out", "sold_out with the status 200")
	f(409, `{"code":"sold_out","reason":"r"}`, "sold_out", "without a sentence")
	f(409, `{"code":"tired"`+sentence, "", "without a code")
	f(502, `<html>Bad Gateway`, "", `502 "<html>Bad Gateway"`)
	f(200, ``, "", "without a code")
}

func TestWhatMayBeAnsweredGoesByTheRequest(t *testing.T) {
	t.Parallel()
	open := rules{known: true, opens: 10 * time.Second, closes: time.Minute, perBuyer: 2}
	f := func(r rules, k kind, code string, at time.Duration, ok bool) {
		t.Helper()
		if why := r.check(k, &answer{code: code, sent: at, done: at}); (why == "") != ok {
			t.Errorf("%s for %s after %s: %q", code, k, at, why)
		}
	}
	in, before, after := 30*time.Second, time.Second, 2*time.Minute
	f(open, first, "held", in, true)
	f(open, first, "held", before, false)
	f(open, first, "not_open", before, true)
	f(open, first, "not_open", 11*time.Second, true) // as exact as clocks are
	f(open, first, "not_open", in, false)
	f(open, again, "closed", after, true)
	f(open, again, "closed", in, false)
	f(open, first, "sold_out", in, true)
	f(open, first, "paused", in, false)
	f(rules{known: true, paused: true}, first, "paused", in, true)
	f(open, first, "buyer_limit", in, true)
	f(open, first, "shop_refused", in, false) // nobody asks the shop
	f(rules{known: true, closes: time.Hour, asks: true}, again, "shop_refused", in, true)
	f(rules{}, first, "shop_refused", in, true)
	f(rules{known: true, closes: time.Hour}, first, "buyer_limit", in, false)
	for _, code := range []string{
		"order_changed", "already_paid", "attempt_limit", "amount_mismatch", "bad_signature",
		"expired_link", "unknown_sku", "bad_request", "",
	} {
		f(open, first, code, in, false)
		f(rules{}, first, code, in, false)
	}
	for _, code := range []string{"busy", "unavailable", "recovering", "not_durable", "shop_unavailable"} {
		f(open, first, code, in, true)
		f(open, forged, code, in, true)
	}
	f(open, forged, "bad_signature", in, true)
	f(open, stolen, "bad_signature", in, true)
	f(open, broken, "bad_request", in, true)
	f(open, unknownSale, "unknown_sale", in, true)
	f(open, unknownSKU, "unknown_sku", in, true)
	f(open, forged, "held", in, false)
	f(open, broken, "sold_out", in, false)
	f(rules{}, first, "not_open", in, true) // nobody knows the window
	f(rules{}, first, "held", before, true)
}

func TestAFailureSaysWhoseItIs(t *testing.T) {
	t.Parallel()
	f := func(err error, failure string, ours bool) {
		var a answer
		a.fail(fmt.Errorf("Post: %w", err))
		if !strings.Contains(a.failure, failure) || a.ours != ours {
			t.Errorf("%v is %q, ours %v", err, a.failure, a.ours)
		}
	}
	f(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "connection refused", false)
	f(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "connection reset", false)
	f(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}, "port", true)
	f(&net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}, "file descriptor", true)
	f(os.ErrDeadlineExceeded, "timed out", false)
	f(errors.New("net/http: request canceled (Client.Timeout or context cancellation while reading body)"),
		"timed out", false)
	f(errors.New("EOF"), "connection closed", false)
	f(errors.New("something else"), "something else", false)
}
