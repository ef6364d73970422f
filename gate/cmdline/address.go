package cmdline

import (
	"fmt"
	"net"

	"github.com/flashgate/flashgate/gate"
)

// Loopback reports whether only this machine reaches the address.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && gate.IsLoopback(host) // an empty one is every interface
}

// Reachable is how this machine reaches a listener.
func Reachable(addr net.Addr) string {
	if at := addr.(*net.TCPAddr); at.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d", at.Port)
	}
	return addr.String()
}
