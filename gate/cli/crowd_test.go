//go:build unix

package cli

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
)

// spawnWithFiles starts a gate that may have so few files open.
func spawnWithFiles(t *testing.T, files int, args ...string) *process {
	t.Helper()
	shell := redistest.Require(t, "sh")
	return startProcess(t, shell,
		append([]string{"-c", `ulimit -n ` + strconv.Itoa(files) + ` && exec "$0" "$@"`, "flashgate"},
			serveArgs(args)...)...)
}

// besiege keeps so many connections to addr, that begin a request each and send no
// more, or not even that, until the test ends. Whose is closed comes again.
func besiege(t *testing.T, addr string, connections int, begin string) {
	t.Helper()
	over := make(chan struct{})
	var crowd sync.WaitGroup
	for range connections {
		crowd.Go(func() {
			for pace := time.NewTicker(50 * time.Millisecond); ; {
				if conn, err := net.Dial("tcp", addr); err == nil {
					done := make(chan struct{})
					go func() {
						select {
						case <-over:
						case <-done:
						}
						conn.Close()
					}()
					_, _ = io.WriteString(conn, begin)
					_, _ = io.Copy(io.Discard, conn) // until the gate closes it
					close(done)
				}
				select {
				case <-over:
					pace.Stop()
					return
				case <-pace.C:
				}
			}
		})
	}
	t.Cleanup(func() {
		close(over)
		crowd.Wait()
	})
}

// More connections than the gate may have files open end nothing: who asks is
// answered, on a new connection too, Redis is found again, and the admin listener
// answers.
func TestACrowdThatHasAllDescriptorsEndsNothing(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	applySale(t, redis.URL(), openSale("race", 100_000))
	gate := awaitReady(t, spawnWithFiles(t, 256, "--redis", redis.URL(), "--allow-unsigned"))
	told, ok := gate.logged("few files may be open, and each connection is one: set LimitNOFILE=65536 in the unit " +
		"of systemd, ulimits: {nofile: 65536} in Compose, --ulimit nofile=65536 for docker run, or ulimit -n 65536 " +
		"in the shell")
	if !ok || told["open_files"] != 256.0 {
		t.Errorf("the limit of open files is not told: %v", told)
	}

	besiege(t, gate.listen, 400, "")
	besiege(t, gate.listen, 100, "POST /confirm/race?items=unit HTTP/1.1\r\nHost: gate\r\n")
	besiege(t, gate.admin, 100, "")
	await(t, "the crowd to be too many",
		func() error { return atLeast(t, gate, `flashgate_connections_shed_total{listener="public"}`, 100) })

	kept := startLoadAt(t, "race", 2, gate.listen)
	kept.await(t, 50, "held")
	anew := &caller{http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	var answers []answer
	for i := range 20 {
		answers = append(answers, anew.confirm(gate.listen, "race", order(i)))
	}
	redis.Do(t, "CLIENT", "KILL", "TYPE", "normal")
	kept.await(t, 50, "held")
	answers = append(answers, kept.stop()...)
	checkAnswers(t, answers)
	checkRecorded(t, redis, "race", answers)
	for _, path := range []string{"/metrics", "/readyz"} {
		if status, text := gate.get(gate.admin, path); status != http.StatusOK {
			t.Errorf("%s of the admin listener: %d %s", path, status, text)
		}
	}
	if err := atLeast(t, gate, `flashgate_connections_shed_total{listener="admin"}`, 1); err != nil {
		t.Error(err)
	}
	if failed := metric(t, gate, `flashgate_accept_errors_total{listener="public"}`); failed != "0" {
		t.Errorf("no descriptor was free for %s connections: none is spared for others", failed)
	}
	gate.stop(t)
}
