package redistest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a running program, and a goroutine that waits for its end.
type process struct {
	*os.Process
	exited chan struct{} // closed once the program has ended and been waited for
}

// spawn starts the command so that it cannot outlive this process, also when
// that panics, times out or is killed.
//
// The kernel sends Pdeathsig when the thread that started the program dies, not
// the process. A thread of Go's pool could die earlier: Go ends one whose
// goroutine exits while locked to it. So a goroutine of its own starts the
// program, and keeps its thread until the program has ended.
func spawn(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended does not matter, its log tells
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return &process{cmd.Process, exited}, nil
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// kill ends the program, also a stopped one, and waits until it is gone. It is
// not continued first: it would go on for a moment, and answer what it had not.
func (p *process) kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.exited
	return nil
}

// freePort returns a loopback port that nothing listens on. It lies below the
// range from which systems take ports for outgoing connections, so that it is
// still free when a killed server is started again. Someone else may take it
// first nonetheless: whoever starts a server on it must be ready to try another.
func freePort() (int, error) {
	const low, high, tries = 10_000, 32_000, 100
	var err error
	for range tries {
		port := low + rand.IntN(high-low)
		var listener net.Listener
		listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d in %d tries: %w", low, high, tries, err)
}
