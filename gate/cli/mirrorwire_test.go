package cli

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// cutOffBy is what happens on the connections that read a ledger. The others are spared.
type cutOffBy struct {
	hangs  bool          // nothing passes
	closes bool          // they are closed
	late   time.Duration // of what Redis replies
}

// wireToRedis passes connections on to a Redis. It knows those that read a ledger.
type wireToRedis struct {
	addr, redis string
	listener    net.Listener
	running     sync.WaitGroup

	mu      sync.Mutex
	cut     cutOffBy
	changed chan struct{} // is closed with the next change
	conns   map[net.Conn]bool
	over    bool
}

func startWire(t *testing.T, redis string) *wireToRedis {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wireToRedis{
		addr: listener.Addr().String(), redis: redis, listener: listener, changed: make(chan struct{}),
		conns: map[net.Conn]bool{},
	}
	w.running.Go(w.serve)
	t.Cleanup(w.close)
	return w
}

// set has something happen from now on.
func (w *wireToRedis) set(c cutOffBy) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = c
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *wireToRedis) close() {
	w.listener.Close()
	w.set(cutOffBy{closes: true})
	w.mu.Lock()
	w.over = true
	for conn := range w.conns {
		conn.Close()
	}
	w.mu.Unlock()
	w.running.Wait()
}

func (w *wireToRedis) serve() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		redis, err := net.Dial("tcp", w.redis)
		if err != nil {
			client.Close()
			continue
		}
		w.join(client, redis)
	}
}

// join passes on what two connections say, until one of them ends.
func (w *wireToRedis) join(client, redis net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		client.Close()
		redis.Close()
		return
	}
	w.conns[client], w.conns[redis] = true, true
	reads := make(chan struct{}) // is closed once it reads a ledger
	end := func() {
		client.Close()
		redis.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.conns, client)
		delete(w.conns, redis)
	}
	w.running.Go(func() {
		defer end()
		marked := false
		pass(client, redis, func(said []byte) bool {
			if !marked && bytes.Contains(bytes.ToUpper(said), []byte("XREAD")) {
				marked = true
				close(reads)
			}
			return !marked || w.lets(false)
		})
	})
	w.running.Go(func() {
		defer end()
		pass(redis, client, func([]byte) bool {
			select {
			case <-reads:
				return w.lets(true)
			default:
				return true
			}
		})
	})
}

// pass passes on what one connection says as long as it is let.
func pass(from, to net.Conn, lets func(said []byte) bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil || !lets(buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// lets waits until something may pass on a connection that reads a ledger, and reports whether
// it may ever.
func (w *wireToRedis) lets(reply bool) bool {
	for waited := false; ; {
		w.mu.Lock()
		now, changed := w.cut, w.changed
		w.mu.Unlock()
		var late <-chan time.Time
		switch {
		case now.closes:
			return false
		case now.hangs:
		case !reply || waited || now.late == 0:
			return true
		default:
			late = time.After(now.late)
		}
		select {
		case <-changed:
		case <-late:
			waited = true
		}
	}
}
