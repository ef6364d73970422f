package testkit

import (
	"fmt"
	"syscall"
	"testing"
)

// Nowhere returns the base URL of an address that refuses connections until the test ends. The
// port of a server that was closed would not do: another test may get it.
func Nowhere(t testing.TB) string {
	t.Helper()
	// A socket that is bound and does not listen.
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
}
