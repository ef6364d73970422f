package redistest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a redis-server that runs for one test.
type Server struct {
	t       testing.TB
	program string
	dir     string
	port    int
	args    []string
	process *process

	authority *Authority // with which it speaks TLS alone, or nil
	suspended bool
}

// Start runs a redis-server that keeps nothing on disk. The arguments are its
// configuration as on its command line, such as "--appendonly", "yes". It is
// killed when the test ends, which fails if the user of its URL was refused
// anything.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, nil, func(s *Server) ([]string, error) { return append(s.baseArgs(), args...), nil })
}

// StartTLS is Start for a server that speaks TLS alone, and only with clients
// that have a certificate of the authority. So do its replicas and Sentinels.
func StartTLS(t testing.TB, authority *Authority, args ...string) *Server {
	t.Helper()
	return start(t, authority, func(s *Server) ([]string, error) { return append(s.baseArgs(), args...), nil })
}

func (s *Server) baseArgs() []string {
	args := []string{
		"--bind", "127.0.0.1", "--save", "", "--aclfile", aclFile,
		"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
	}
	for _, option := range s.listening() {
		args = append(args, "--"+option[0], option[1])
	}
	return args
}

// listening configures where a server listens, and how it calls others.
func (s *Server) listening() [][2]string {
	port := strconv.Itoa(s.port)
	if s.authority == nil {
		return [][2]string{{"port", port}}
	}
	return append([][2]string{{"port", "0"}, {"tls-port", port}}, s.authority.options()...)
}

// start runs a server with the arguments that configure returns for it, once
// it has a directory and a port. It is asked again when a port turns out to be
// taken.
func start(t testing.TB, authority *Authority, configure func(*Server) ([]string, error)) *Server {
	t.Helper()
	s := &Server{t: t, program: Require(t, "redis-server"), dir: t.TempDir(), authority: authority}
	if err := writeUsers(s.dir); err != nil {
		t.Fatalf("writing the users of redis-server: %v", err)
	}
	t.Cleanup(func() {
		if s.process == nil {
			return
		}
		if !s.suspended {
			s.checkRights()
		}
		s.Kill()
	})
	s.launch(func() (err error) {
		if s.port, err = freePort(); err != nil {
			return err
		}
		s.args, err = configure(s)
		return err
	})
	return s
}

// launch prepares and starts the server until its ports are free to take.
func (s *Server) launch(prepare func() error) {
	s.t.Helper()
	await(s.t, "redis-server to start", func() error {
		if err := prepare(); err != nil {
			s.t.Fatalf("preparing redis-server: %v", err)
		}
		err := s.launchOnce()
		if err != nil && !errors.Is(err, errPortTaken) {
			s.t.Fatalf("starting redis-server on port %d: %v", s.port, err)
		}
		return err
	})
}

var errPortTaken = errors.New("the port is taken")

func (s *Server) launchOnce() error {
	path := filepath.Join(s.dir, "log")
	log, err := os.Create(path)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.program, s.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	if s.process, err = spawn(cmd); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		answers := s.answers()
		if answers == nil {
			return nil
		}
		if s.process.running() && time.Now().Before(deadline) {
			continue
		}
		said, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(said), "Address already in use") {
			return errPortTaken
		}
		return fmt.Errorf("%w; it said:\n%s", answers, said)
	}
}

// answers returns nil when it is this server that answers on the port, not one
// of another test that took it first, and its data is loaded.
func (s *Server) answers() error {
	info, err := s.info("INFO")
	switch {
	case err != nil:
		return err
	case info["process_id"] != strconv.Itoa(s.Pid()):
		return errPortTaken
	case info["loading"] == "1":
		return errors.New("it is still loading its data")
	}
	return nil
}

// Addr returns the server's address, 127.0.0.1:port.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL returns the server's address as redis://flashgate:password@127.0.0.1:port,
// or rediss for TLS. The user has the rights of deploy/redis/users.acl; Do is
// for what else a test does.
func (s *Server) URL() string { return s.scheme() + "://" + userAt(s.Addr()) }

func (s *Server) scheme() string {
	if s.authority == nil {
		return "redis"
	}
	return "rediss"
}

// Port returns the server's port, which stays the same over a Restart.
func (s *Server) Port() int { return s.port }

// Pid returns the id of the server's process, another one after a Restart.
func (s *Server) Pid() int { return s.process.Pid }

// Stop suspends the server (SIGSTOP): its connections stay open, and nothing is
// answered until Continue.
func (s *Server) Stop() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	s.suspended = true
}

// Continue resumes a server that was suspended by Stop (SIGCONT).
func (s *Server) Continue() {
	s.t.Helper()
	s.signal(syscall.SIGCONT)
	s.suspended = false
}

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Signal(signal); err != nil {
		s.t.Fatalf("sending %v to redis-server on port %d: %v", signal, s.port, err)
	}
}

// Kill ends the server at once (SIGKILL), also while it is suspended, and waits
// until it is gone. A server that is gone already stays so.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.process.kill(); err != nil {
		s.t.Errorf("killing redis-server on port %d: %v", s.port, err)
	}
	s.suspended = false
}

// Restart kills the server if it still runs, and starts it again with the same
// port, arguments and directory. It comes back empty unless its arguments make
// it keep its data, and a replica that was promoted comes back as a replica.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.launch(func() error { return nil })
}
