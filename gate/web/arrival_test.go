package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func TestTheBudgetRunsFromTheFirstByte(t *testing.T) {
	t.Parallel()
	received := make(chan time.Time, 3)
	s := start(t, &store{decide: func(batch []*gate.Request) error {
		received <- batch[0].Received
		return always(gate.Held)(batch)
	}}, nil, newMetrics())
	conn, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := "POST /confirm/race?items=full HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(v1), v1)
	answers := bufio.NewReader(conn)
	send := func(parts ...string) (between time.Time) {
		for i, part := range parts {
			if i > 0 {
				time.Sleep(20 * time.Millisecond) // a slow sender, not a wait for a condition
				between = time.Now()
			}
			if _, err := io.WriteString(conn, part); err != nil {
				t.Fatal(err)
			}
		}
		response, err := http.ReadResponse(answers, nil)
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%v %v", response, err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		return between
	}
	if between := send(request[:5], request[5:]); !(<-received).Before(between) {
		t.Error("a slow request is counted from its end")
	}
	before := time.Now()
	send(request)
	if (<-received).Before(before) {
		t.Error("the second request of a connection is counted from the first")
	}
	before = time.Now()
	send(request + request)
	send()
	for range 2 {
		if (<-received).Before(before) {
			t.Error("a request that came along with the one before has no time of its own")
		}
	}
}

func TestARequestBeginsWithItsFirstByte(t *testing.T) {
	t.Parallel()
	far, near := net.Pipe()
	t.Cleanup(func() { far.Close(); near.Close() })
	c := &timedConn{seat: sit(near)}
	f := func(want bool) {
		t.Helper()
		if n, err := c.Read(make([]byte, 1)); c.first.IsZero() == want {
			t.Errorf("read %d bytes, %v: begun %v, want %v", n, err, !want, want)
		}
	}
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	f(false)
	deadline(t, near)
	go func() { _, _ = io.WriteString(far, "P") }()
	f(true)
}
