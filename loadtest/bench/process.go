package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that is measured.
type process struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{} // closed once it has ended
}

// start runs a server, which writes to a log. The server cannot outlive this process: the kernel ends it together with
// the thread that started it, so that thread waits.
func start(log string, cmd *exec.Cmd) (*process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = file, file, dieWithParent()
	p := &process{cmd, log, make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(p.exited)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended does not matter, its log tells
		}
	}()
	return p, <-started
}

func (p *process) alive() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s has ended: %s", p.cmd.Path, p.cmd.ProcessState)
	default:
		return nil
	}
}

// said returns what the server wrote, as an error.
func (p *process) said() error {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s said:\n%s", p.cmd.Path, text)
}

// stop asks the server to end, and kills it if it does not.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(5 * time.Second):
	}
	err := p.cmd.Process.Kill()
	<-p.exited
	return err
}

// cpu returns the CPU time that the process has used, to 10 ms.
func (p *process) cpu() (time.Duration, error) {
	path := fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("reading CPU time: %w", err)
	}
	used, err := parseStat(string(text))
	if err != nil {
		return 0, fmt.Errorf("reading CPU time from %s: %w", path, err)
	}
	return used, nil
}

// parseStat returns user and system time of /proc/PID/stat. The program's name,
// in parentheses, may hold anything.
func parseStat(text string) (time.Duration, error) {
	const (
		user, system = 11, 12 // counted from behind the name
		tick         = 10 * time.Millisecond
	)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) <= system {
		return 0, fmt.Errorf("%q has too few fields", text)
	}
	u, err := strconv.ParseInt(fields[user], 10, 64)
	if err != nil {
		return 0, err
	}
	s, err := strconv.ParseInt(fields[system], 10, 64)
	return time.Duration(u+s) * tick, err
}

// freePorts returns loopback addresses that nothing listens on.
func freePorts(n int) (addrs []string, err error) {
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		addrs = append(addrs, listener.Addr().String())
	}
	return addrs, nil
}

// ready returns nil once a server is.
func ready(ctx context.Context, addr string) error {
	_, err := get(ctx, "http://"+addr+"/readyz")
	return err
}

func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(text), err
}
