package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
)

// hostile is what a client sends on one connection, and what comes of it.
type hostile struct {
	name   string
	sends  string
	stays  bool     // it keeps its side open although it sends no more
	want   string   // the answers, as exchange words them
	says   string   // that the answers contain
	orders []string // that are held by it
}

const (
	host     = "Host: gate\r\n"
	asJSON   = host + "Content-Type: application/json\r\n"
	toRace   = "POST /confirm/race?items=unit HTTP/1.1\r\n"
	timedOut = "timed out"
	closed   = "closed" // the connection, without an answer
)

// call is a well-formed confirm call of a body, with more header lines and
// another query if they are given.
func call(query, more, body string) string {
	return fmt.Sprintf("POST /confirm/race%s HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n%s", query, asJSON, more, len(body), body)
}

// withBody is a confirm call for one unit.
func withBody(body string) string { return call("?items=unit", "", body) }

// withAmount is a confirm call for one unit with an amount as it is written.
func withAmount(amount string) string {
	return withBody(`{"imp_uid":"i","merchant_uid":"refused","amount":` + amount + `}`)
}

func chunked(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		panic(err) // a buffer takes everything
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

func hostileRequests() []hostile {
	refused := v1("refused", "i")
	length := fmt.Sprintf("Content-Length: %d\r\n", len(refused))
	var madeUp strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&madeUp, "POST /confirm/made-up-%d?items=unit HTTP/1.1\r\n%s%s\r\n%s", i, asJSON, length, refused)
	}
	return []hostile{
		{name: "nothing", want: closed},
		{name: "truncated request line", sends: "POST /conf", want: "400 bad_request"},
		{name: "truncated headers", sends: toRace + asJSON + "Content-Le", want: "400 bad_request"},
		{name: "truncated body", sends: toRace + asJSON + length + "\r\n" + refused[:20], want: "400 bad_request"},
		{name: "body that never comes whole", sends: toRace + asJSON + length + "\r\n" + refused[:20], stays: true, want: "400 bad_request"},
		{name: "no body and no length", sends: toRace + asJSON + "\r\n", want: "400 bad_request"},
		{name: "body cut by its length", sends: toRace + asJSON + "Content-Length: 20\r\n\r\n" + refused, want: "400 bad_request ×2"},
		{
			name: "body longer than its length", sends: withBody(v1("longer", "i")) + "and more",
			want: "200 held, 400 bad_request", orders: []string{"longer"},
		},
		{
			name: "garbage behind a good request", sends: withBody(v1("pipelined", "i")) + "\x00\x16\x03\x01 garbage\r\n\r\n",
			want: "200 held, 400 bad_request", orders: []string{"pipelined"},
		},
		{name: "body over 16 KiB", sends: withBody(strings.Repeat(" ", 16<<10) + refused), want: "413 too_large"},
		{name: "body over 16 KiB in chunks", sends: toRace + asJSON + "Transfer-Encoding: chunked\r\n\r\n" + chunked(strings.Repeat(" ", 16<<10)+refused), want: "413 too_large"},
		{name: "length and chunks", sends: toRace + asJSON + length + "Transfer-Encoding: chunked\r\n\r\n" + chunked(refused), want: "400 bad_request", says: "Transfer-Encoding"},
		{name: "chunks and length", sends: toRace + asJSON + "Transfer-Encoding: chunked\r\ncontent-length: 5\r\n\r\n" + chunked(refused) + withBody(refused), want: "400 bad_request", says: "Transfer-Encoding"},
		{name: "length and chunks for health", sends: "GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: "400 bad_request", says: "Transfer-Encoding"},
		{name: "unknown transfer encoding", sends: toRace + asJSON + length + "Transfer-Encoding: xchunked\r\n\r\n" + refused, want: "400 bad_request"},
		{name: "identity transfer encoding", sends: toRace + asJSON + length + "Transfer-Encoding: identity\r\n\r\n" + refused, want: "400 bad_request", says: "Transfer-Encoding"},
		{name: "length twice", sends: toRace + asJSON + length + length + "\r\n" + refused, want: "400 bad_request"},
		{name: "two lengths", sends: toRace + asJSON + length + "Content-Length: 5\r\n\r\n" + refused, want: "400 bad_request"},
		{name: "negative length", sends: toRace + asJSON + "Content-Length: -5\r\n\r\n" + refused, want: "400 bad_request"},
		{name: "signed length", sends: toRace + asJSON + "Content-Length: +5\r\n\r\n" + refused, want: "400 bad_request"},
		{name: "huge length", sends: toRace + asJSON + "Content-Length: 9000000000000000000\r\n\r\n" + refused, want: "413 too_large"},
		{name: "length beyond 64 bits", sends: toRace + asJSON + "Content-Length: 99999999999999999999\r\n\r\n" + refused, want: "400 bad_request"},
		{
			name: "chunks", sends: toRace + asJSON + "Transfer-Encoding: chunked\r\n\r\n" + chunked(v1("chunks", "i")),
			want: "200 held", orders: []string{"chunks"},
		},
		{name: "chunk size that is none", sends: toRace + asJSON + "Transfer-Encoding: chunked\r\n\r\n-5\r\n" + refused, want: "400 bad_request"},
		{name: "huge chunk size", sends: toRace + asJSON + "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n" + refused, want: "400 bad_request"},
		{name: "chunk of 1 GB", sends: toRace + asJSON + "Transfer-Encoding: chunked\r\n\r\n40000000\r\n" + refused, want: "413 too_large"},
		{name: "space before the colon", sends: toRace + asJSON + "Content-Length : 5\r\n\r\n" + refused, want: "400 bad_request"},
		{name: "null byte in the path", sends: "POST /confirm/ra\x00ce?items=unit HTTP/1.1\r\n" + asJSON + length + "\r\n" + refused, want: "400 bad_request"},
		{name: "null byte in a header", sends: call("?items=unit", "X: \x00\r\n", refused), want: "400 bad_request"},
		{name: "null byte in the body", sends: withBody(refused + "\x00"), want: "400 bad_request"},
		{name: "10 MB of headers", sends: toRace + asJSON + strings.Repeat("X: "+strings.Repeat("x", 1021)+"\r\n", 10<<10) + "\r\n", want: "400 bad_request"},
		{name: "10 MB of address", sends: "POST /confirm/" + strings.Repeat("x", 10<<20) + " HTTP/1.1\r\n" + asJSON + "\r\n", want: "400 bad_request"},
		{name: "unknown method", sends: strings.Replace(withBody(refused), "POST", "BREW", 1), want: "405 bad_request"},
		{
			name: "HTTP/1.0", sends: strings.Replace(withBody(v1("http10", "i")), "HTTP/1.1", "HTTP/1.0", 1),
			want: "200 held", orders: []string{"http10"},
		},
		{name: "HTTP/1.0 in chunks", sends: "POST /confirm/race?items=unit HTTP/1.0\r\n" + asJSON + "Transfer-Encoding: chunked\r\n\r\n" + chunked(refused), want: "400 bad_request"},
		{name: "HTTP/2", sends: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", want: "404 bad_request"},
		{name: "TLS", sends: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", want: "400 bad_request"},
		{name: "gzip", sends: call("?items=unit", "Content-Encoding: gzip\r\n", gzipped(refused)), want: "400 bad_request", says: "Content-Encoding"},
		{name: "gzip that is none", sends: call("?items=unit", "Content-Encoding: gzip\r\n", refused), want: "400 bad_request", says: "Content-Encoding"},
		{
			name: "expectation", sends: call("?items=unit", "Expect: 100-continue\r\n", v1("expected", "i")),
			want: "100, 200 held", orders: []string{"expected"},
		},
		{name: "multipart", sends: strings.Replace(withBody("--b\r\n\r\n"), "application/json", "multipart/form-data; boundary=b", 1), want: "400 bad_request", says: "Content-Type must"},
		{name: "no content type", sends: strings.Replace(withBody(refused), "Content-Type: application/json\r\n", "", 1), want: "400 bad_request", says: "Content-Type must"},

		{
			name:  "ids in another script, with braces and separators",
			sends: call("?items=unit&buyer=%EA%B9%80%7B%7D%7C%3A%2C", "", v1("주문-{race}:|,", "시도-{}")),
			want:  "200 held", orders: []string{"주문-{race}:|,"},
		},
		{name: "unit separator in buyer", sends: call("?items=unit&buyer=a%1fb", "", refused), want: "400 bad_request", says: "buyer"},
		{name: "line break in buyer", sends: call("?items=unit&buyer=a%0d%0ab", "", refused), want: "400 bad_request", says: "buyer"},
		{name: "broken UTF-8 in buyer", sends: call("?items=unit&buyer=%ff", "", refused), want: "400 bad_request", says: "buyer"},
		{name: "two buyers", sends: call("?items=unit&buyer=a&buyer=b", "", refused), want: "400 bad_request", says: "buyer"},
		{name: "unit separator in an id", sends: withBody(`{"imp_uid":"i","merchant_uid":"a\u001fb","amount":1}`), want: "400 bad_request", says: "merchant_uid"},
		{name: "line break in an id", sends: withBody(`{"imp_uid":"a\nb","merchant_uid":"refused","amount":1}`), want: "400 bad_request", says: "imp_uid"},
		{name: "null in an id", sends: withBody(`{"imp_uid":"i","merchant_uid":"\u0000","amount":1}`), want: "400 bad_request", says: "merchant_uid"},
		{name: "half a surrogate in an id", sends: withBody(`{"imp_uid":"i","merchant_uid":"\ud800","amount":1}`), want: "400 bad_request"},
		{name: "long id", sends: withBody(v1(strings.Repeat("o", 65), "i")), want: "400 bad_request", says: "merchant_uid"},

		{name: "no units", sends: call("?items=unit:0", "", refused), want: "400 bad_request", says: "items"},
		{name: "negative units", sends: call("?items=unit:-1", "", refused), want: "400 bad_request", says: "items"},
		{name: "units beyond 64 bits", sends: call("?items=unit:18446744073709551617", "", refused), want: "400 bad_request", says: "items"},
		{name: "units in two lines", sends: call("?items=unit:1,unit:1", "", refused), want: "400 bad_request", says: "items"},
		{name: "items twice", sends: call("?items=unit&items=unit", "", refused), want: "400 bad_request", says: "items"},
		{name: "a thousand lines", sends: call("?items="+strings.Repeat("unit,", 500)+"unit", "", refused), want: "400 bad_request", says: "items"},
		{name: "negative amount", sends: withAmount("-1"), want: "400 bad_request", says: "amount"},
		{name: "amount beyond doubles", sends: withAmount("1e400"), want: "400 bad_request", says: "amount"},
		{name: "amount beyond 64 bits", sends: withAmount("18446744073709551617"), want: "400 bad_request", says: "amount"},
		{name: "exponent beyond 64 bits", sends: withAmount("1e99999999999999999999"), want: "400 bad_request", says: "amount"},
		{name: "fraction of an amount", sends: withAmount("10.5"), want: "400 bad_request", says: "amount"},
		{name: "amount that is none", sends: withAmount("NaN"), want: "400 bad_request", says: "JSON"},
		{name: "key twice", sends: withBody(`{"imp_uid":"i","merchant_uid":"refused","merchant_uid":"other","amount":1}`), want: "400 bad_request", says: "once"},
		{name: "key twice, once escaped", sends: withBody(`{"imp_uid":"i","merchant_uid":"refused","\u006derchant_uid":"other","amount":1}`), want: "400 bad_request", says: "once"},
		{name: "nested arrays", sends: withBody(`{"a":` + strings.Repeat("[", 15<<10)), want: "400 bad_request", says: "nested"},
		{name: "nested objects", sends: withBody(strings.Repeat(`{"a":`, 2<<10) + "1" + strings.Repeat("}", 2<<10)), want: "400 bad_request", says: "nested"},

		{name: "encoded sale", sends: strings.Replace(withBody(refused), "race", "%72ace", 1), want: "404 unknown_sale"},
		{name: "way up", sends: strings.Replace(withBody(refused), "race", "../confirm/race", 1), want: "404 unknown_sale"},
		{name: "way around", sends: strings.Replace(withBody(refused), "/confirm", "/x/../confirm", 1), want: "404 bad_request"},
		{
			name: "whole address", sends: strings.Replace(withBody(v1("whole", "i")), "/confirm", "http://gate/confirm", 1),
			want: "200 held", orders: []string{"whole"},
		},
		{name: "sales that do not exist", sends: madeUp.String(), want: "404 unknown_sale ×2000"},
	}
}

// Of hostile requests none crashes the gate, takes a unit, or keeps the others
// from being answered.
func TestHostileRequestsHaveTheirAnswer(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 100_000), "--language", "en")
	sales := labelValues(t, gate, "sale")
	honest := startLoad(t, "race", 2, gate)
	honest.await(t, 1, "held")
	var rows sync.WaitGroup
	want := map[string]bool{}
	for _, row := range hostileRequests() {
		for _, order := range row.orders {
			want[order] = true
		}
		rows.Go(func() {
			answers, text := exchange(gate.listen, row.sends, row.stays)
			if answers != row.want || !strings.Contains(text, row.says) {
				t.Errorf("%s: %s, want %s with %q; the gate said %.500q", row.name, answers, row.want, row.says, text)
			}
		})
	}
	rows.Wait()
	honest.await(t, 10, "held")
	answers := honest.stop()
	checkAllHeld(t, answers, answerBound)
	for _, a := range answers {
		want[a.order] = true
	}

	if got := orders(t, redis, "race"); !maps.Equal(got, want) {
		for order := range want {
			if !got[order] {
				t.Errorf("order %s was answered 200 and is not recorded", order)
			}
			delete(got, order)
		}
		t.Errorf("recorded although not answered 200: %v", got)
	}
	checkUnits(t, redis.URL(), "race", len(want))
	if got := labelValues(t, gate, "sale"); !slices.Equal(got, sales) {
		t.Errorf("the metrics' label sale had the values %q and has %q", sales, got)
	}
	keys, _ := redis.Do(t, "KEYS", "*made-up*").([]any)
	if len(keys) > 0 {
		t.Errorf("Redis has %q of sales that do not exist", keys)
	}
	if panics := metric(t, gate, "flashgate_panics_total"); panics != "0" {
		t.Errorf("the gate panicked %s times", panics)
	}
	checkMemory(t, gate)
	gate.stop(t)
}

// Slow clients take connections, not the others' answers, and only for as long
// as one request may take.
func TestSlowClientsHinderNobody(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	gate := serveSale(t, redis.URL(), openSale("race", 100_000))
	honest := startLoad(t, "race", 2, gate)
	honest.await(t, 1, "held")
	starts := []string{"", withBody(v1("refused", "i") + strings.Repeat(" ", 1000))[:200]}
	var slow sync.WaitGroup
	for i := range 500 {
		slow.Go(func() {
			conn, err := net.Dial("tcp", gate.listen)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			began := time.Now()
			trickle(conn, starts[i%2])
			if took := time.Since(began); took < time.Second || took > 5*time.Second {
				t.Errorf("the gate kept a slow connection for %v", took)
			}
		})
	}
	slow.Wait()
	answers := honest.stop()
	checkAllHeld(t, answers, time.Second)
	held := map[string]bool{}
	for _, a := range answers {
		held[a.order] = true
	}
	checkUnits(t, redis.URL(), "race", len(held))
	checkMemory(t, gate)
	gate.stop(t)
}

// trickle sends the beginning of a request and then a byte at a time, until the
// other side has closed the connection or some time has passed.
func trickle(conn net.Conn, start string) {
	deadline := time.Now().Add(patience)
	_ = conn.SetDeadline(deadline) // reading fails as well if it cannot be set
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn) // an answer or a reset, both close it
	}()
	pace := time.NewTicker(300 * time.Millisecond)
	defer pace.Stop()
	_, err := io.WriteString(conn, start)
	for err == nil {
		_, err = conn.Write([]byte("x"))
		select {
		case <-pace.C:
		case <-gone:
			return
		}
	}
	<-gone
}

// exchange sends bytes on a connection of its own, and returns all answers that
// come back: in short, such as "200 held, 404 unknown_sale ×3", and as they are.
func exchange(addr, sends string, stays bool) (answers, text string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err.Error(), ""
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err.Error(), ""
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		_, err := io.WriteString(conn, sends)
		if err == nil && !stays {
			_ = conn.(*net.TCPConn).CloseWrite() // the gate may have closed it before
		}
	})
	var said bytes.Buffer
	if _, err := said.ReadFrom(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		return timedOut, said.String()
	}
	return inShort(said.String()), said.String()
}

func inShort(said string) string {
	if said == "" {
		return closed
	}
	var answers []string
	reader := bufio.NewReader(strings.NewReader(said))
	for last, n := "", 0; ; {
		answer, err := oneAnswer(reader)
		if n > 1 && (err != nil || answer != last) {
			answers[len(answers)-1] += fmt.Sprint(" ×", n)
		}
		if err == io.EOF {
			return strings.Join(answers, ", ")
		}
		if err != nil {
			return fmt.Sprint(strings.Join(answers, ", "), ", then ", err)
		}
		if answer != last {
			answers, last, n = append(answers, answer), answer, 0
		}
		n++
	}
}

func oneAnswer(r *bufio.Reader) (string, error) {
	if _, err := r.Peek(1); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode == http.StatusContinue {
		return fmt.Sprint(response.StatusCode), err
	}
	code, err := bodyCode(body)
	return fmt.Sprint(response.StatusCode, " ", code), err
}

func checkAllHeld(t *testing.T, answers []answer, bound time.Duration) {
	t.Helper()
	for _, a := range answers {
		if a.status != http.StatusOK || a.code != "held" || a.took > bound {
			t.Errorf("an honest confirm: %+v", a)
		}
	}
	t.Logf("%d honest confirms", len(answers))
}

// checkMemory wants that the gate never had more than 200 MB in memory.
func checkMemory(t *testing.T, gate *process) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", gate.cmd.Process.Pid))
	if err != nil {
		t.Fatalf("the gate is gone: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var peak int
	if _, err := fmt.Sscanf(rest, "%d kB", &peak); err != nil {
		t.Fatal(err)
	}
	if peak > 200<<10 {
		t.Errorf("the gate had %d kB in memory", peak)
	}
	t.Logf("the gate had at most %d kB in memory", peak)
}
