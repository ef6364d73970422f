package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/luascripts"
)

// step is something that a gate asks of another program, or tells it.
type step struct {
	call   string // what: a script, "answer", "ask", "look-up", "cancel", "post", "position"
	of     string // what its text has in it, such as an order; empty is any
	behind string // it is meant only after a payment was cancelled, by a call with this in it
}

// doom stands between a gate and everything that it speaks with, and kills it at
// one of its steps: before the step is passed on, or when it was done and the gate
// has not heard of it yet.
type doom struct {
	over <-chan struct{} // closed when the test ends

	mu       sync.Mutex    // over what follows
	struck   chan struct{} // closed when the gate is dead; nil where none is to die
	victim   chan *process
	step     step
	done     bool
	cancels  []string // the calls that cancelled a payment
	position int64    // up to which entry of the ledger the shop was told last
}

// arm has the next gate die at a step, which waits for it to be named as the
// victim. Struck is closed when it is dead.
func (d *doom) arm(at step, done bool) (victim chan<- *process, struck <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.step, d.done, d.victim, d.struck = at, done, make(chan *process, 1), make(chan struct{})
	return d.victim, d.struck
}

// waitsFor reports whether a gate is to die at a call that has not come yet.
func (d *doom) waitsFor(call string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.struck != nil && d.step.call == call
}

var errKilled = errors.New("the gate was killed")

// pass has a call done, unless the gate dies of it. A call that came to nothing is
// no step.
func (d *doom) pass(call, text string, do func() (came bool, err error)) error {
	if d.strikes(call, text, false) {
		return errKilled
	}
	came, err := do()
	if err == nil && came && d.strikes(call, text, true) {
		err = errKilled
	}
	return err
}

func (d *doom) strikes(call, text string, done bool) bool {
	d.mu.Lock()
	behind := d.step.behind == "" ||
		slices.ContainsFunc(d.cancels, func(c string) bool { return strings.Contains(c, d.step.behind) })
	struck, victim := d.struck, d.victim
	if struck == nil || done != d.done || call != d.step.call || !strings.Contains(text, d.step.of) || !behind {
		d.mu.Unlock()
		return false
	}
	d.struck = nil
	d.mu.Unlock()
	select {
	case gate := <-victim:
		gate.Kill()
		close(struck)
	case <-d.over: // without it
	}
	return true
}

// web starts a server that passes calls on to a handler. Those that are no step
// have no name.
func (d *doom) web(t *testing.T, handler http.Handler, name func(r *http.Request) string) (url string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		call, text := name(r), fmt.Sprintf("%s %s %s", r.Method, r.URL, body)
		err = d.pass(call, text, func() (bool, error) {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			if call == "cancel" && answer.Code == http.StatusOK {
				d.mu.Lock()
				d.cancels = append(d.cancels, text)
				d.mu.Unlock()
			}
			body = answer.Body.Bytes()
			for key, values := range answer.Header() {
				w.Header()[key] = values
			}
			w.WriteHeader(answer.Code)
			return true, nil
		})
		if err != nil {
			panic(http.ErrAbortHandler) // closes the connection, and says nothing
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// redis starts a server that passes commands on to a redis-server, one at a time
// for each connection.
func (d *doom) redis(t *testing.T, server *redistest.Server) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { d.serveRedis(conn, server.Addr()) })
		}
	})
	t.Cleanup(func() { // every gate is dead by now, and with it its connections
		listener.Close()
		conns.Wait()
	})
	address = server.URL()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = listener.Addr().String()
	return u.String()
}

func (d *doom) serveRedis(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	commands, replies := bufio.NewReader(client), bufio.NewReader(server)
	for {
		command, words, err := readRESP(commands, nil, nil)
		if err != nil {
			return
		}
		var reply []byte
		call := d.scriptOf(words)
		err = d.pass(call, strings.Join(words, " "), func() (bool, error) {
			if _, err := server.Write(command); err != nil {
				return false, err
			}
			var said []string
			reply, said, err = readRESP(replies, nil, nil)
			if err == nil && call == "position" {
				d.mu.Lock()
				d.position = positionIn(words)
				d.mu.Unlock()
			}
			has := func(prefix string) bool {
				return slices.ContainsFunc(said, func(word string) bool { return strings.HasPrefix(word, prefix) })
			}
			return err == nil && !has("NOSCRIPT") && (call != "claim" || has("seq:") || has("o:")), err
		})
		if err != nil {
			return
		}
		if _, err := client.Write(reply); err != nil {
			return
		}
	}
}

// scriptOf names the script that a command calls, empty where it is none that
// matters. Of telling the shop the two calls that matter are told apart.
func (d *doom) scriptOf(words []string) string {
	if len(words) < 7 || !strings.HasPrefix(strings.ToLower(words[0]), "eval") {
		return ""
	}
	for _, script := range []luascripts.Script{
		luascripts.Confirm, luascripts.Grant, luascripts.Claim,
		luascripts.Settle,
	} {
		if words[1] == script.SHA1 || words[1] == script.Source {
			return script.Name
		}
	}
	if words[1] != luascripts.Lease.SHA1 && words[1] != luascripts.Lease.Source ||
		!strings.HasSuffix(words[4], ":notify") {
		return ""
	}
	if words[6] == "claim" {
		return "notify"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if positionIn(words) > d.position {
		return "position"
	}
	return ""
}

// positionIn returns up to where a call of lease says that the shop was told.
func positionIn(words []string) int64 {
	if at := slices.Index(words, "position"); at > 0 {
		if position, err := strconv.ParseInt(words[at+1], 10, 64); err == nil {
			return position
		}
	}
	return 0
}

// readRESP reads one command or reply, and appends its bytes and its words.
func readRESP(r *bufio.Reader, raw []byte, words []string) ([]byte, []string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return raw, words, err
	}
	raw = append(raw, line...)
	text := strings.TrimSpace(line[1:])
	if line[0] != '$' && line[0] != '*' {
		return raw, append(words, text), nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return raw, words, err
	}
	if line[0] == '*' {
		for range n {
			if raw, words, err = readRESP(r, raw, words); err != nil {
				return raw, words, err
			}
		}
		return raw, words, nil
	}
	data := make([]byte, n+len("\r\n"))
	if _, err := io.ReadFull(r, data); err != nil {
		return raw, words, err
	}
	return append(raw, data...), append(words, string(data[:n])), nil
}
