package redistest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Do sends one command on a connection of its own and returns the reply: nil,
// an int64, a string or a []any of these. An argument is sent as fmt prints it.
// An error, or no reply within ten seconds, fails the test.
func (s *Server) Do(t testing.TB, args ...any) any {
	t.Helper()
	reply, err := s.do(args...)
	if err != nil {
		t.Fatalf("%v on %s: %v", args, s.Addr(), err)
	}
	return reply
}

func (s *Server) do(args ...any) (any, error) {
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.do(args...)
}

// connection speaks just enough RESP2 for Do. A client library would pool, retry and log, and so hide what the server
// does.
type connection struct {
	net.Conn
	replies *bufio.Reader
}

func (s *Server) connect() (*connection, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	dial := dialer.Dial
	if s.authority != nil {
		dial = (&tls.Dialer{NetDialer: dialer, Config: s.authority.client}).Dial
	}
	conn, err := dial("tcp", s.Addr())
	if err != nil {
		return nil, err
	}
	return &connection{conn, bufio.NewReader(conn)}, nil
}

func (c *connection) do(args ...any) (any, error) {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	var request bytes.Buffer
	fmt.Fprintf(&request, "*%d\r\n", len(args))
	for _, arg := range args {
		text := fmt.Sprint(arg)
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(text), text)
	}
	if _, err := c.Write(request.Bytes()); err != nil {
		return nil, err
	}
	reply, err := readReply(c.replies)
	if err != nil {
		return nil, fmt.Errorf("reading the reply: %w", err)
	}
	if refused, ok := reply.(error); ok {
		return nil, refused
	}
	return reply, nil
}

// readReply reads one RESP2 value. An error that the server sent is a value.
func readReply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	kind, text := line[0], strings.TrimSuffix(line[1:], "\r\n")
	switch kind {
	case '+':
		return text, nil
	case '-':
		return errors.New(text), nil
	}
	number, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return nil, err
	case kind == ':':
		return number, nil
	case number < 0:
		return nil, nil
	case kind == '$':
		bulk := make([]byte, number+2) // with its \r\n
		_, err := io.ReadFull(r, bulk)
		return string(bulk[:number]), err
	case kind == '*':
		list := make([]any, number)
		for i := range list {
			if list[i], err = readReply(r); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("%q is no RESP2", line)
}

// info sends a command that answers in lines of "name:value", like INFO.
func (s *Server) info(command ...any) (map[string]string, error) {
	reply, err := s.do(command...)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for line := range strings.Lines(fmt.Sprint(reply)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			values[name] = value
		}
	}
	return values, nil
}

// pairs reads a reply that is a list of names, each followed by its value.
func pairs(reply any) map[string]string {
	list, _ := reply.([]any)
	values := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		values[fmt.Sprint(list[i])] = fmt.Sprint(list[i+1])
	}
	return values
}
