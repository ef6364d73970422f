package web

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// HTTP compares header names and most of their values without case, and clients
// write them as they like.
func TestHeadersAreReadWithoutCase(t *testing.T) {
	t.Parallel()
	s := start(t, &store{decide: always(gate.Held)}, nil, newMetrics())
	head := func(version, lines string) string {
		return "POST /confirm/race?items=full HTTP/" + version + "\r\nHost: gate\r\n" + lines
	}
	sized := fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(v1))
	chunked := fmt.Sprintf("\r\n%x\r\n%s\r\n0\r\n\r\n", len(v1), v1)
	row := func(name, sends string, ends bool, want []int) {
		conn, err := s.dial()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience)) // reading fails as well if it cannot be set
		began := time.Now()
		if _, err := io.WriteString(conn, sends); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []int
		in := bufio.NewReader(conn)
		for range want {
			response, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Errorf("%s: %v after %v", name, err, got)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			got = append(got, response.StatusCode)
		}
		if took := time.Since(began); fmt.Sprint(got) != fmt.Sprint(want) || took > readTimeout {
			t.Errorf("%s: %v after %v, want %v at once", name, got, took, want)
		}
		if ends {
			if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
				t.Errorf("%s: the connection goes on with %q, %v", name, rest, err)
			}
			return
		}
		if _, err := io.WriteString(conn, head("1.1", sized+"\r\n"+v1)); err != nil {
			t.Errorf("%s: the connection has ended: %v", name, err)
		}
		if response, err := http.ReadResponse(in, nil); err != nil || response.StatusCode != 200 {
			t.Errorf("%s: the next request gets %v, %v", name, response, err)
		}
	}
	var rows sync.WaitGroup
	defer rows.Wait()
	f := func(name, sends string, ends bool, want ...int) {
		rows.Go(func() { row(name, sends, ends, want) })
	}
	for _, expectation := range []string{
		"Expect: 100-continue", "Expect: 100-Continue", "EXPECT: 100-CONTINUE", "expect:  100-continue, 100-Continue",
		"Expect: 100-Continue\r\nExpect: 100-continue",
	} {
		f(expectation, head("1.1", sized+expectation+"\r\n\r\n"+v1), false, 100, 200)
		f(expectation+" and chunks",
			head("1.1", "Content-Type: application/json\r\nTransfer-Encoding: Chunked\r\n"+expectation+"\r\n"+chunked),
			false, 100, 200)
		f(expectation+" of HTTP/1.0", head("1.0", sized+expectation+"\r\n\r\n"+v1), true, 200)
		f(expectation+" and too much",
			head("1.1", "Content-Type: application/json\r\nContent-Length: 16385\r\n"+expectation+"\r\n\r\n"), true,
			413)
		f(expectation+" and far too much",
			head("1.1", "Content-Type: application/json\r\nContent-Length: 1000000000\r\n"+expectation+"\r\n\r\n"),
			true, 413)
	}
	for _, expectation := range []string{
		"Expect: 200-ok", "Expect: 100-continue, money",
		"Expect: 100-continue\r\nExpect: money",
	} {
		f(expectation, head("1.1", sized+expectation+"\r\n\r\n"), true, 417)
		f(expectation+" and its body", head("1.1", sized+expectation+"\r\n\r\n"+v1), true, 417)
		f(expectation+" and chunks", head("1.1", "Transfer-Encoding: chunked\r\n"+expectation+"\r\n\r\n"), true, 417)
	}
	f("no expectation", head("1.1", sized+"Expect:\r\n\r\n"+v1), false, 200)

	for _, connection := range []string{
		"Connection: close", "Connection: Close", "CONNECTION: CLOSE", "Connection: TE, Close",
		"Connection: close\r\nConnection: keep-alive",
		"Connection: Keep-Alive\r\nConnection: Close",
	} {
		f(connection, head("1.1", sized+connection+"\r\n\r\n"+v1), true, 200)
	}
	for _, connection := range []string{"Connection: Keep-Alive", "Connection: closed", "Connection:"} {
		f(connection, head("1.1", sized+connection+"\r\n\r\n"+v1), false, 200)
	}
	f("HTTP/1.0", head("1.0", sized+"\r\n"+v1), true, 200)
	f("HTTP/1.0 with Keep-Alive", head("1.0", sized+"Connection: Keep-Alive\r\n\r\n"+v1), false, 200)

	f("chunks", head("1.1", "content-type: Application/JSON; Charset=UTF-8\r\nTRANSFER-ENCODING: CHUNKED\r\n"+chunked),
		false, 200)
	f("two ends", head("1.1", "CONTENT-LENGTH: 5\r\ntransfer-encoding: Chunked\r\n"+chunked), true, 400)
	f("a compressed body", head("1.1", strings.ToUpper(sized)+"CONTENT-ENCODING: GZIP\r\n\r\n"+v1), false, 400)
	f("a form", head("1.1", "Content-Type: Application/X-WWW-Form-URLEncoded\r\nContent-Length: "+
		"34\r\n\r\nimp_uid=i&merchant_uid=o&amount=10"), false, 200)
}
