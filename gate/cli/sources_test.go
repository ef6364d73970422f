package cli

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

// portoneAddr is one of the addresses that the word portone stands for.
const portoneAddr = "52.78.100.19"

// forwarded is a confirm call that tells by whom it was passed on.
func forwarded(order string, lines ...string) string {
	var more strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&more, "X-Forwarded-For: %s\r\n", line)
	}
	return call("?items=unit", more.String(), v1(order, "i"))
}

// Nobody gets past --allow-from by writing a header.
func TestConfirmsFromElsewhereAreRefusedIfStrict(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), openSale("race", 100))
	strict := []string{"--redis", redis.URL(), "--allow-unsigned", "--allow-from", "portone", "--allow-from-strict"}
	direct := startGate(t, strict...)
	behind := startGate(t, append(strict, "--trusted-proxies", "10.0.0.0/8,127.0.0.1")...)
	held := 0
	f := func(gate *process, want string, sends string) {
		t.Helper()
		if want == "200 held" {
			held++
		}
		if got, text := exchange(gate.listen, sends, false); got != want {
			t.Errorf("%.300q: %s, want %s; the gate said %q", sends, got, want, text)
		}
	}
	f(direct, "403 not_allowed", forwarded("refused"))
	f(direct, "403 not_allowed", forwarded("refused", portoneAddr))
	f(direct, "403 not_allowed", forwarded("refused", portoneAddr, "127.0.0.1"))

	f(behind, "403 not_allowed", forwarded("refused"))
	f(behind, "200 held", forwarded("one-hop", portoneAddr))
	f(behind, "200 held", forwarded("two-hops", "203.0.113.9", portoneAddr+":4711, 10.1.2.3"))
	f(behind, "403 not_allowed", forwarded("refused", portoneAddr, "203.0.113.9"))
	f(behind, "403 not_allowed", forwarded("refused", portoneAddr+", unknown, 10.1.2.3"))
	// What comes behind the body would be the last of the lines.
	f(behind, "400 bad_request", toRace+asJSON+"Transfer-Encoding: chunked\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"+
		strings.Replace(chunked(v1("refused", "i")), "0\r\n\r\n", "0\r\nX-Forwarded-For: "+portoneAddr+"\r\n\r\n", 1))
	checkUnits(t, redis.URL(), "race", held)
}

// A list that is wrong stops no payment unless it is strict: it shows.
func TestConfirmsFromElsewhereAreCountedAndLogged(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 100), "--allow-from", "192.0.2.0/24")
	for i := range 20 {
		if got, text := exchange(gate.listen, forwarded(order(i), "192.0.2.1"), false); got != "200 held" {
			t.Errorf("%s, %q", got, text)
		}
	}
	if n := metric(t, gate, "flashgate_confirms_elsewhere_total"); n != "20" {
		t.Errorf("%s are counted, want 20", n)
	}
	const message = "confirms come from an address that --allow-from does not name"
	line, _ := gate.logged(message)
	if line["address"] != "127.0.0.1" || strings.Count(gate.stderr.String(), message) != 1 {
		t.Errorf("the log has not one line with the address:\n%s", gate.stderr.String())
	}
	gate.stop(t)
}

func TestConnectionsOfOneAddressAreLimitedButNotATrustedProxys(t *testing.T) {
	t.Parallel()
	f := func(want int, args ...string) *process {
		t.Helper()
		gate := startGate(t, append(args, "--redis", "embedded", "--max-connections-per-address", "3")...)
		for range 3 { // those that are closed give their place back
			await(t, fmt.Sprintf("%q to take %d connections", args, want), func() error {
				if got := kept(t, gate, 20); got != want {
					return fmt.Errorf("it keeps %d", got)
				}
				return nil
			})
		}
		return gate
	}
	limited := f(3)
	if n := metric(t, limited, "flashgate_connections_refused_total"); n == "0" || n == "" {
		t.Errorf("%q connections are counted as refused", n)
	}
	f(20, "--trusted-proxies", "127.0.0.0/8")
	f(20, "--allow-from", "127.0.0.1")
}

// kept opens connections, at most so many, and returns how many the gate answers
// on until it closes one.
func kept(t *testing.T, gate *process, most int) int {
	t.Helper()
	for i := range most {
		conn, err := net.Dial("tcp", gate.listen)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: gate\r\n\r\n"); err != nil {
			return i
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return i
		}
		answer.Body.Close()
	}
	return most
}
