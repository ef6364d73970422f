package redistest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(abandon) != "" {
		os.Exit(m.Run()) // it is meant to be killed in the middle
	}
	goleak.VerifyTestMain(m)
}

func TestServerAnswersAndForgetsWhenRestarted(t *testing.T) {
	t.Parallel()
	server := Start(t)
	server.Do(t, "SET", "k", "v")
	wantReply(t, server, "v", "GET", "k")

	addr, pid := server.Addr(), server.Pid()
	server.Kill()
	server.Kill()
	if _, err := server.do("PING"); err == nil {
		t.Error("a killed server answers")
	}
	server.Restart()
	if server.Addr() != addr || server.Pid() == pid {
		t.Errorf("restarted as %s with pid %d, was %s with pid %d", server.Addr(), server.Pid(), addr, pid)
	}
	wantReply(t, server, nil, "GET", "k")
}

func TestServerKeepsItsDataWhenAskedTo(t *testing.T) {
	t.Parallel()
	server := Start(t, "--appendonly", "yes", "--appendfsync", "always")
	server.Do(t, "SET", "k", "v")
	server.Restart()
	wantReply(t, server, "v", "GET", "k")
}

func TestStoppedServerIsSilentUntilContinued(t *testing.T) {
	t.Parallel()
	server := Start(t)
	server.Stop()
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "PING\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	reply := make([]byte, len("+PONG\r\n"))
	if n, err := conn.Read(reply); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a stopped server said %q, %v", reply[:n], err)
	}

	server.Continue()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := conn.Read(reply); err != nil || string(reply) != "+PONG\r\n" {
		t.Errorf("a continued server said %q, %v", reply, err)
	}
}

func TestStoppedServerCanBeKilled(t *testing.T) {
	t.Parallel()
	server := Start(t)
	server.Stop()
	server.Kill()
	if err := syscall.Kill(server.Pid(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the process is still there: %v", err)
	}
}

func TestServerIsGoneAfterItsTest(t *testing.T) {
	t.Parallel()
	var server *Server
	t.Run("its test", func(t *testing.T) {
		server = Start(t)
		server.Stop()
	})
	if server.process.running() {
		t.Error("the server outlived its test")
	}
	if _, err := os.Stat(server.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory outlived its test: %v", err)
	}
}

func TestTakenPortIsTriedAgainOnAnother(t *testing.T) {
	t.Parallel()
	first := Start(t)
	ports := []int{first.Port()}
	second := &Server{t: t, program: first.program, dir: first.dir}
	second.launch(func() (err error) {
		second.port = ports[len(ports)-1]
		second.args = second.baseArgs()
		next, err := freePort()
		ports = append(ports, next)
		return err
	})
	t.Cleanup(second.Kill)
	if len(ports) != 3 || second.Port() != ports[1] {
		t.Errorf("on port %d after trying %v", second.Port(), ports)
	}
	wantReply(t, second, "PONG", "PING")
}

func TestReplicaFollowsUntilPromoted(t *testing.T) {
	t.Parallel()
	primary := Start(t)
	primary.Do(t, "SET", "k", "before")
	replica := StartReplica(t, primary)
	wantReply(t, replica, "before", "GET", "k")
	primary.Do(t, "SET", "k", "after")
	await(t, "the write to arrive", func() error {
		if got := replica.Do(t, "GET", "k"); got != "after" {
			return fmt.Errorf("k is %v", got)
		}
		return nil
	})

	primary.Kill()
	replica.Promote()
	replica.Do(t, "SET", "k", "promoted")
	wantReply(t, replica, "promoted", "GET", "k")
}

func TestClusterServesEverySlotFromEveryNode(t *testing.T) {
	t.Parallel()
	cluster := StartCluster(t, 3)
	if want := "redis+cluster://flashgate:open%2Fsesame%407@" + strings.Join(cluster.Addrs(),
		","); cluster.URL() != want {
		t.Errorf("URL %s, want %s", cluster.URL(), want)
	}
	first, last := cluster.Nodes()[0], cluster.Nodes()[2]
	first.Do(t, "SET", "bar", "v") // slot 5061
	_, err := last.do("GET", "bar")
	if want := "MOVED 5061 " + first.Addr(); err == nil || err.Error() != want {
		t.Errorf("the last node says %v, want %s", err, want)
	}

	last.Restart()
	await(t, "the node to be back", func() error {
		return last.expect([]any{"CLUSTER", "INFO"}, map[string]string{"cluster_state": "ok"})
	})
}

func TestSentinelsPromoteTheReplica(t *testing.T) {
	t.Parallel()
	primary := Start(t)
	replica := StartReplica(t, primary)
	sentinels := StartSentinel(t, primary, 2, 3)
	if want := "redis+sentinel://flashgate:open%2Fsesame%407@" + strings.Join(sentinels.Addrs(), ",") +
		"/mymaster"; sentinels.URL() != want {
		t.Errorf("URL %s, want %s", sentinels.URL(), want)
	}

	primary.Stop()
	for _, sentinel := range sentinels.Nodes() {
		await(t, "the failover", func() error {
			got := sentinel.Do(t, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName)
			want := []any{"127.0.0.1", strconv.Itoa(replica.Port())}
			if !reflect.DeepEqual(got, want) {
				return fmt.Errorf("the primary is %v, not %v", got, want)
			}
			return nil
		})
	}
	replica.Do(t, "SET", "k", "v")
}

func TestHAProxyPassesOnUntilItsTestEnds(t *testing.T) {
	t.Parallel()
	server := Start(t)
	var addr string
	t.Run("its test", func(t *testing.T) {
		addr = StartHAProxy(t, fmt.Sprintf("defaults\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n"+
			"listen redis\n bind fd@3\n server redis %s\n", server.Addr()))
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "PING\r\n")
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		reply := make([]byte, len("+PONG\r\n"))
		if _, err := io.ReadFull(conn, reply); err != nil || string(reply) != "+PONG\r\n" {
			t.Errorf("it passed on %q, %v", reply, err)
		}
	})
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("it outlived its test")
	}
}

// abandon names the file into which a test binary that is to be killed writes
// the address of its server.
const abandon = "REDISTEST_ABANDON"

func TestServerDiesWithTheTestBinary(t *testing.T) {
	if path := os.Getenv(abandon); path != "" {
		if err := os.WriteFile(path, []byte(Start(t).Addr()), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a child that its parent died")
	}
	Require(t, "redis-server")
	path := filepath.Join(t.TempDir(), "addr")
	binary := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	binary.Env = append(os.Environ(), abandon+"="+path, "TMPDIR="+t.TempDir())
	if out, err := binary.CombinedOutput(); err == nil {
		t.Fatalf("the test binary was not killed:\n%s", out)
	}
	addr, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the server to die", func() error {
		conn, err := net.Dial("tcp", string(addr))
		if err != nil {
			return nil
		}
		return errors.Join(fmt.Errorf("%s still listens", addr), conn.Close())
	})
}

func TestWhatIsMissingSkipsHereAndFailsInCI(t *testing.T) {
	for _, env := range []struct {
		ci, servers string
		want        verdict
	}{
		{"", "", verdict{skipped: true}},
		{"true", "", verdict{failed: true}},
		{"", "1", verdict{failed: true}},
	} {
		t.Setenv("CI", env.ci)
		t.Setenv("REQUIRE_SERVERS", env.servers)
		f := func(what string, require func(testing.TB)) {
			var got verdict
			done := make(chan struct{})
			go func() {
				defer close(done)
				require(verdictTB{t, &got})
			}()
			<-done
			if got != env.want {
				t.Errorf("%s, CI=%q REQUIRE_SERVERS=%q: %+v, want %+v", what, env.ci, env.servers, got, env.want)
			}
		}
		f("program", func(tb testing.TB) { Require(tb, "no-such-program") })
		f("npm packages", func(tb testing.TB) { RequireModules(tb, t.TempDir()) })
	}
}

type verdict struct{ skipped, failed bool }

// verdictTB notes how a test would have ended.
type verdictTB struct {
	testing.TB
	*verdict
}

func (v verdictTB) Skip(...any)  { v.skipped = true; runtime.Goexit() }
func (v verdictTB) Fatal(...any) { v.failed = true; runtime.Goexit() }

func wantReply(t *testing.T, server *Server, want any, command ...any) {
	t.Helper()
	if got := server.Do(t, command...); got != want {
		t.Errorf("%v: %v, want %v", command, got, want)
	}
}
