package deploy_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flashgate/flashgate/gate/redistest"
)

// network is a switch of two halves, and hosts at either. Each is a network
// namespace of its own: nothing of it is seen or reached from elsewhere, and all
// of it is gone when its test ends.
type network struct {
	t       *testing.T
	program string // ip
	name    string // of the switch's namespace, and what those of the hosts begin with
	hosts   int
}

// The halves of a network, each a bridge.
const (
	left  = "left"
	right = "right"
)

// newNetwork makes a network without hosts. A machine that lets nobody make one
// skips the test, also in CI: it takes root, and a kernel that has bridges.
func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, program: redistest.Require(t, "ip"), name: "flashgate-" + strings.ToLower(rand.Text()[:8])}
	n.mayMake("netns", "add", n.name)
	t.Cleanup(func() { n.ip("netns", "del", n.name) })
	n.mayMake("-n", n.name, "link", "add", "trunk-"+left, "type", "veth", "peer", "name", "trunk-"+right)
	for _, side := range []string{left, right} {
		n.mayMake("-n", n.name, "link", "add", side, "type", "bridge")
		n.plug("trunk-"+side, side)
		n.ip("-n", n.name, "link", "set", side, "up")
	}
	return n
}

func (n *network) mayMake(args ...string) {
	n.t.Helper()
	if said, err := exec.Command(n.program, args...).CombinedOutput(); err != nil {
		n.t.Skipf("this machine does not let a network be made, so none is cut (ip %s: %v: %s)",
			strings.Join(args, " "), err, said)
	}
}

// ip runs the command ip, which must succeed.
func (n *network) ip(args ...string) {
	n.t.Helper()
	if said, err := exec.Command(n.program, args...).CombinedOutput(); err != nil {
		n.t.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, said)
	}
}

// plug connects one of the switch's ports to one of its halves.
func (n *network) plug(port, side string) {
	n.t.Helper()
	n.ip("-n", n.name, "link", "set", port, "master", side, "up")
}

// cut ends all traffic between the halves, without a word to either.
func (n *network) cut() {
	n.t.Helper()
	n.ip("-n", n.name, "link", "set", "trunk-"+left, "down")
}

func (n *network) heal() {
	n.t.Helper()
	n.ip("-n", n.name, "link", "set", "trunk-"+left, "up")
}

// host adds a host at one half. What runs on it must be started after it, so that
// it ends before.
func (n *network) host(side string) machine {
	n.t.Helper()
	n.hosts++
	name, port, addr := fmt.Sprint(n.name, "-", n.hosts), fmt.Sprint("port", n.hosts), fmt.Sprint("10.77.0.", n.hosts)
	n.ip("netns", "add", name)
	n.t.Cleanup(func() { n.ip("netns", "del", name) })
	n.ip("-n", n.name, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
	n.plug(port, side)
	n.ip("-n", name, "addr", "add", addr+"/24", "dev", "eth0")
	n.ip("-n", name, "link", "set", "eth0", "up")
	n.ip("-n", name, "link", "set", "lo", "up")
	return machine{
		addr: addr,
		command: func(program string, args ...string) *exec.Cmd {
			return exec.Command(n.program, append([]string{"netns", "exec", name, program}, args...)...)
		},
		dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialFrom(ctx, name, network, addr)
		},
	}
}

// hostsAt adds a host at each of some halves.
func (n *network) hostsAt(sides []string) (hosts []machine) {
	n.t.Helper()
	for _, side := range sides {
		hosts = append(hosts, n.host(side))
	}
	return hosts
}

// dialFrom connects from within a namespace: a socket belongs to the one in which
// its thread was when it was made.
func dialFrom(ctx context.Context, namespace, network, addr string) (net.Conn, error) {
	there, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return nil, err
	}
	defer there.Close()
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err // with its thread locked, as nothing is known of it
	}
	defer here.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter the namespace %s: %w", namespace, err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		return conn, fmt.Errorf("leave the namespace %s: %w", namespace, back)
	}
	runtime.UnlockOSThread()
	return conn, err
}
