package redistest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Program is a program that runs for one test.
type Program struct {
	t       testing.TB
	process *process
	log     string
}

// StartProgram starts a command. Its output goes into a file, but for what the command has a writer of its own for. It
// is killed when the test ends, and what the file has is shown if the test failed.
func StartProgram(t testing.TB, cmd *exec.Cmd) *Program {
	t.Helper()
	p := &Program{t: t, log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	if cmd.Stderr == nil {
		cmd.Stderr = log
	}
	if p.process, err = spawn(cmd); err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	t.Cleanup(func() {
		p.Kill()
		if said := p.Log(); t.Failed() && said != "" {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), said)
		}
	})
	return p
}

// Log returns what the program has said.
func (p *Program) Log() string {
	p.t.Helper()
	said, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Error(err)
	}
	return string(said)
}

// Running reports whether the program has not ended.
func (p *Program) Running() bool { return p.process.running() }

// Exited returns a channel that is closed once the program has ended, and its command's ProcessState is set.
func (p *Program) Exited() <-chan struct{} { return p.process.exited }

// Kill ends the program at once (SIGKILL), and waits until it is gone.
func (p *Program) Kill() {
	p.t.Helper()
	if err := p.process.kill(); err != nil {
		p.t.Errorf("killing a program: %v", err)
	}
}

// Terminate asks the program to end (SIGTERM), and waits until it has.
func (p *Program) Terminate() {
	p.t.Helper()
	if err := p.process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("ending a program: %v", err)
	}
	<-p.process.exited
}

// FreePort returns a loopback port that nothing listens on. It lies below the
// range from which systems take ports for outgoing connections.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
