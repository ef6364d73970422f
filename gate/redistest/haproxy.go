package redistest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// StartHAProxy runs HAProxy with a configuration, whose frontend must bind fd@3:
// that is the listener on a free loopback port whose address, 127.0.0.1:port, is
// returned. Connections wait there until HAProxy is up. It is killed when the
// test ends, and what it said is shown if the test failed.
func StartHAProxy(t testing.TB, config string) (addr string) {
	t.Helper()
	program, dir := Require(t, "haproxy"), t.TempDir()
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // HAProxy has its own copy
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()

	cmd := exec.Command(program, "-db", "-f", path)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = dir, log, log, []*os.File{socket}
	process, err := spawn(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.kill(); err != nil {
			t.Errorf("killing haproxy: %v", err)
		}
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("haproxy said:\n%s", said)
		}
	})
	return listener.Addr().String()
}
