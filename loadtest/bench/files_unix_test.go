//go:build unix

package bench

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestProcessesMayOpenAllFilesThatAreAllowed(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if before.Max > 1<<20 {
		t.Skip("there is no limit to speak of")
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) })
	few := before
	few.Cur = min(256, before.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	if err := raiseFiles(); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command("sh", "-c", "ulimit -n").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strconv.FormatUint(before.Max, 10); strings.TrimSpace(string(said)) != want ||
		openFiles() != before.Max {
		t.Errorf("a child may open %s files, and this process %d; want %s", said, openFiles(), want)
	}
}
