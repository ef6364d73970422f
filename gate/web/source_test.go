package web

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp"

	"github.com/flashgate/flashgate/gate"
)

func networks(cidrs ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, c := range cidrs {
		list = append(list, netip.MustParsePrefix(c))
	}
	return list
}

// call is a request as fasthttp hands it over: its peer, and lines of X-Forwarded-For.
func call(peer net.Addr, forwarded ...string) *fasthttp.RequestCtx {
	var request fasthttp.Request
	for _, line := range forwarded {
		request.Header.Add("X-Forwarded-For", line)
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&request, peer, nil)
	return ctx
}

func tcp(addr string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 4711))
}

func TestForwardedForIsReadFromTheRightAsFarAsItIsTrusted(t *testing.T) {
	t.Parallel()
	s := &Sources{Proxies: networks("10.0.0.0/8", "fd00::/8")}
	f := func(want, peer string, forwarded ...string) {
		t.Helper()
		got := s.client(peerOf(tcp(peer)), call(nil, forwarded...).Request.Header.PeekAll("X-Forwarded-For"))
		if got.String() != want {
			t.Errorf("%s with %q: from %s, want %s", peer, forwarded, got, want)
		}
	}
	// The peer must be trusted.
	f("192.0.2.1", "192.0.2.1")
	f("192.0.2.1", "192.0.2.1", "198.51.100.7")
	f("192.0.2.1", "192.0.2.1", "198.51.100.7, 10.0.0.1")
	f("10.0.0.1", "10.0.0.1")
	f("198.51.100.7", "10.0.0.1", "198.51.100.7")
	f("198.51.100.7", "fd00::1", "198.51.100.7")

	// So must every hop on the right of the one that counts.
	f("198.51.100.7", "10.0.0.1", "198.51.100.7, 10.0.0.2")
	f("198.51.100.7", "10.0.0.1", "203.0.113.9, 198.51.100.7,10.0.0.2 ,\t10.0.0.3")
	f("198.51.100.7", "10.0.0.1", "10.9.9.9, 198.51.100.7")
	f("10.0.0.3", "10.0.0.1", "10.0.0.3, 10.0.0.2")

	// Several lines are one list.
	f("198.51.100.7", "10.0.0.1", "203.0.113.9", "198.51.100.7", "10.0.0.3, 10.0.0.2")
	f("198.51.100.7", "10.0.0.1", "203.0.113.9, 198.51.100.7")
	f("203.0.113.9", "10.0.0.1", "198.51.100.7", "203.0.113.9")

	// What cannot be read ends the list.
	f("10.0.0.2", "10.0.0.1", "198.51.100.7, unknown, 10.0.0.2")
	f("10.0.0.2", "10.0.0.1", "198.51.100.7", "", "10.0.0.2")
	f("10.0.0.2", "10.0.0.1", "198.51.100.7, , 10.0.0.2")
	f("10.0.0.1", "10.0.0.1", "198.51.100.7,")
	f("10.0.0.1", "10.0.0.1", "198.51.100.7 203.0.113.9")
	f("10.0.0.1", "10.0.0.1", "198.51.100.007")
	f("10.0.0.1", "10.0.0.1", "198.51.100.7/32")
	f("10.0.0.1", "10.0.0.1", "198.51.100.7:")
	f("10.0.0.1", "10.0.0.1", "198.51.100.7:65536")
	f("10.0.0.1", "10.0.0.1", "2001:db8::1%eth0")
	f("10.0.0.1", "10.0.0.1", "_hidden")

	// An address may be written in several ways.
	f("198.51.100.7", "10.0.0.1", "198.51.100.7:567")
	f("198.51.100.7", "10.0.0.1", "198.51.100.7:567, 10.0.0.2:80")
	f("::1", "10.0.0.1", "[::1]:5")
	f("2001:db8::1", "10.0.0.1", "2001:DB8:0::1, [fd00::2]:443")
	f("198.51.100.7", "10.0.0.1", "::ffff:198.51.100.7")
	f("198.51.100.7", "10.0.0.1", "[::ffff:198.51.100.7]:5, ::ffff:10.0.0.2")
	f("198.51.100.7", "::ffff:10.0.0.1", "198.51.100.7")
	f("198.51.100.7", "fd00::1%eth0", "198.51.100.7")
}

func FuzzForwardedFor(f *testing.F) {
	f.Add("10.0.0.1", "")
	f.Add("192.0.2.1", "198.51.100.7")
	f.Add("10.0.0.1", "203.0.113.9, 198.51.100.7:567, 10.0.0.2")
	f.Add("10.0.0.1", "203.0.113.9\n::ffff:198.51.100.7,unknown,[fd00::2]:443\n10.0.0.2,,")
	f.Add("fd00::1", "10.0.0.3,10.0.0.2")
	s := &Sources{Proxies: networks("10.0.0.0/8", "fd00::/8")}
	f.Fuzz(func(t *testing.T, from, header string) {
		peer, err := netip.ParseAddr(from)
		if err != nil {
			t.Skip()
		}
		var lines [][]byte
		for _, line := range strings.Split(header, "\n") {
			lines = append(lines, []byte(line))
		}
		got := s.client(peer, lines)

		// The calls' way: the peer is the last hop, before it the header's, from the right.
		way, known := []netip.Addr{peer}, []bool{true}
		hops := strings.Split(strings.ReplaceAll(header, "\n", ","), ",")
		for i := len(hops) - 1; i >= 0; i-- {
			hop, ok := parseHop([]byte(hops[i]))
			way, known = append(way, hop), append(known, ok)
		}
		for i, hop := range way {
			ends := i == len(way)-1 || !known[i+1]
			trusted := contains(s.Proxies, hop)
			if known[i] && hop == got && (!trusted || ends) {
				return
			}
			if !known[i] || !trusted {
				break
			}
		}
		t.Errorf("%s with %q: from %s, which no chain of trusted hops leads to", peer, header, got)
	})
}

const portoneAddr, otherAddr = "198.51.100.7", "203.0.113.9"

// The two kinds of calls differ in what is done about those from elsewhere.
func TestCallsFromElsewhereAreRefusedByPolicy(t *testing.T) {
	t.Parallel()
	f := func(s Sources, ctx *fasthttp.RequestCtx, wantConfirm, wantWebhook string) {
		t.Helper()
		p := &Public{
			deps: PublicDeps{Metrics: newMetrics(), Log: slog.New(slog.DiscardHandler)},
			opt:  PublicOptions{Sources: s},
		}
		verdict := map[bool]string{true: "refused", false: "taken"}
		confirm, webhook := verdict[p.refusesConfirm(ctx, time.Now())], verdict[p.refusesWebhook(ctx)]
		if testutil.ToFloat64(p.deps.Metrics.elsewhere) == 1 {
			confirm += ", counted"
		}
		if confirm != wantConfirm || webhook != wantWebhook {
			t.Errorf("%+v, %s: the confirm is %s, want %s; the webhook is %s, want %s",
				s, ctx.RemoteAddr(), confirm, wantConfirm, webhook, wantWebhook)
		}
	}
	f(Sources{}, call(tcp(otherAddr)), "taken", "taken")
	f(Sources{Proxies: networks("10.0.0.1/32")}, call(tcp("10.0.0.1"), otherAddr), "taken", "taken")

	open := Sources{Proxies: networks("10.0.0.1/32"), Allowed: networks(portoneAddr+"/32", "2001:db8::/32")}
	f(open, call(tcp(portoneAddr)), "taken", "taken")
	f(open, call(tcp("2001:db8::5")), "taken", "taken")
	f(open, call(tcp("10.0.0.1"), portoneAddr), "taken", "taken")
	f(open, call(tcp(otherAddr)), "taken, counted", "refused")
	f(open, call(tcp(otherAddr), portoneAddr), "taken, counted", "refused")
	f(open, call(tcp("10.0.0.1"), otherAddr), "taken, counted", "refused")
	f(open, call(tcp("10.0.0.1")), "taken, counted", "refused")
	f(open, call(&net.UnixAddr{}, portoneAddr), "taken, counted", "refused")

	strict := open
	strict.Strict = true
	f(strict, call(tcp(portoneAddr)), "taken", "taken")
	f(strict, call(tcp("10.0.0.1"), portoneAddr), "taken", "taken")
	f(strict, call(tcp(otherAddr), portoneAddr), "refused, counted", "refused")
	f(strict, call(tcp("10.0.0.1"), otherAddr), "refused, counted", "refused")
}

// What comes over memory has no address, and so none that is allowed.
func TestAConfirmThatIsRefusedForItsAddressTakesNothing(t *testing.T) {
	t.Parallel()
	f := func(strict bool, want int, part string, wantDecided int64) {
		t.Helper()
		var decided atomic.Int64
		s := start(t, &store{
			sources: Sources{Allowed: networks(portoneAddr + "/32"), Strict: strict},
			decide: func(batch []*gate.Request) error {
				decided.Add(1)
				return always(gate.Held)(batch)
			},
		}, nil, newMetrics())
		if status, body := s.post(t, "/confirm/race?items=full", v1); status != want || !strings.Contains(body, part) ||
			decided.Load() != wantDecided {
			t.Errorf("strict %v: %d %s and %d decided, want %d %s and %d", strict, status, body, decided.Load(), want,
				part, wantDecided)
		}
	}
	f(false, 200, "held", 1)
	f(true, 403, "not_allowed", 0)
}

func TestConfirmsFromElsewhereAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := &Public{
		deps: PublicDeps{Metrics: newMetrics(), Log: slog.New(slog.NewTextHandler(&log, nil))},
		opt:  PublicOptions{Sources: Sources{Allowed: networks(portoneAddr + "/32")}},
	}
	start := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	for i := range 10_000 {
		p.refusesConfirm(call(tcp(otherAddr)), start.Add(time.Duration(i)*12*time.Millisecond)) // two minutes
	}
	p.refusesConfirm(call(tcp(portoneAddr)), start.Add(time.Hour))
	if n := testutil.ToFloat64(p.deps.Metrics.elsewhere); n != 10_000 {
		t.Errorf("%v are counted, want 10000", n)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	for i, want := range []int{1, 5000} {
		if len(lines) != 2 || !strings.Contains(lines[i],
			fmt.Sprintf("address=%s confirms=%d refused=false", otherAddr, want)) {
			t.Fatalf("want 2 lines, the one at %d with %d confirms:\n%s", i, want, &log)
		}
	}
}

// Whoever does not ask where calls come from pays nothing for it.
func TestWhereACallComesFromCostsNothingUntilItIsAsked(t *testing.T) {
	ctx := call(tcp("10.0.0.1"), portoneAddr+", 10.0.0.2")
	f := func(s Sources, want float64) {
		t.Helper()
		if got := testing.AllocsPerRun(100, func() { s.elsewhere(ctx) }); got > want {
			t.Errorf("%+v allocates %v times, want %v", s, got, want)
		}
	}
	f(Sources{Proxies: networks("10.0.0.0/8")}, 0)
	f(Sources{Allowed: networks(portoneAddr + "/32")}, 0)
	f(Sources{Proxies: networks("10.0.0.0/8"), Allowed: networks(portoneAddr + "/32")}, 2) // one for each hop
}
