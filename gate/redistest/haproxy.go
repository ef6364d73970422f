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
// returned. Connections wait there until HAProxy is up. The environment is what
// the configuration refers to, as NAME=VALUE.
func StartHAProxy(t testing.TB, config string, environment ...string) (addr string) {
	t.Helper()
	program, dir := Require(t, "haproxy"), t.TempDir()
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
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
	cmd.Dir, cmd.Env, cmd.ExtraFiles = dir, append(os.Environ(), environment...), []*os.File{socket}
	StartProgram(t, cmd)
	return listener.Addr().String()
}
