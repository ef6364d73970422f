package check

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

var passwords = []string{"REDIS_PASSWORD=for-gates", "REPLICA_PASSWORD=for-replicas", "SENTINEL_PASSWORD=for-sentinels"}

// redisHost is a service of Redis that runs on this machine.
type redisHost struct {
	port, sentinel string
	script         *exec.Cmd
}

// startRedisHost starts the script as a service of the compose file does, with
// other ports, and waits for its health check. It ends with the test.
func startRedisHost(t *testing.T, p *types.Project, service string, primary *redisHost) *redisHost {
	t.Helper()
	s, err := p.GetService(service)
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs(filepath.Join(root, "deploy/compose/redis.sh"))
	if err != nil {
		t.Fatal(err)
	}
	h := &redisHost{port: port(t), sentinel: port(t)}
	if primary == nil {
		primary = h
	}
	h.script = exec.Command("sh", append([]string{script}, s.Command...)...)
	h.script.Dir = t.TempDir()
	h.script.Env = append(os.Environ(), "CONFIG="+filepath.Join(filepath.Dir(script), "../redis"), "OWN_HOST=127.0.0.1",
		"PRIMARY_HOST=127.0.0.1", "PRIMARY_PORT="+primary.port, "OWN_PORT="+h.port, "SENTINEL_PORT="+h.sentinel)
	h.script.Env = append(h.script.Env, passwords...)
	startProgram(t, h.script)
	t.Cleanup(func() { // before it is killed, which would leave what it has started
		_ = h.script.Process.Signal(syscall.SIGTERM)
		h.awaitEnd(t)
	})

	check := strings.NewReplacer("-p 6379", "-p "+h.port, "-p 26379", "-p "+h.sentinel).Replace(s.HealthCheck.Test[1])
	if strings.Count(check, h.port)+strings.Count(check, h.sentinel) != 2 {
		t.Fatalf("%s does not ask the server and the Sentinel how they are: %s", service, check)
	}
	await(t, "the health check of "+service, func() error {
		probe := exec.Command("sh", "-c", check)
		probe.Env = append(os.Environ(), passwords...)
		out, err := probe.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", check, err, out)
		}
		return nil
	})
	return h
}

// awaitEnd waits until neither the server nor the Sentinel is there any more.
func (h *redisHost) awaitEnd(t *testing.T) {
	t.Helper()
	await(t, "a Redis host to end", func() error {
		for _, port := range []string{h.port, h.sentinel} {
			conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
			if err == nil {
				return errors.Join(errors.New("port "+port+" is still in use"), conn.Close())
			}
		}
		return nil
	})
}

// The script starts servers and Sentinels that find each other: a sale can be
// written through any of them, which Redis allows only where a replica has come.
// And the compose file's health checks see that they are well.
func TestComposesRedisIsAPrimaryWithReplicaAndSentinels(t *testing.T) {
	t.Parallel()
	requireRedis(t)
	p := project(t)
	first := startRedisHost(t, p, "redis1", nil)
	second := startRedisHost(t, p, "redis2", first)
	for _, h := range []*redisHost{first, second} {
		await(t, "a sale to be applied", func() error {
			cmd := exec.Command("flashgate", "apply", "--open-now", "-f",
				filepath.Join(root, "deploy/compose/sales.yaml"))
			cmd.Env = append(os.Environ(),
				"FLASHGATE_REDIS=redis+sentinel://flashgate:for-gates@127.0.0.1:"+h.sentinel+"/flashgate")
			out, err := cmd.CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
}

// A host whose server or Sentinel has ended is no host: what is left of it ends
// too, and Docker starts both again.
func TestARedisHostEndsAsAWhole(t *testing.T) {
	t.Parallel()
	requireRedis(t)
	p := project(t)
	for what, user := range map[string][]string{"the server": {"--user", "flashgate"}, "the Sentinel": nil} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := startRedisHost(t, p, "redis1", nil)
			at := h.sentinel
			if user != nil {
				at = h.port
			}
			ask := exec.Command("redis-cli", append([]string{"-p", at}, append(user, "info", "server")...)...)
			ask.Env = append(os.Environ(), "REDISCLI_AUTH=for-gates")
			said, err := ask.Output()
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(said), "process_id:")
			var pid int
			if _, err := fmt.Sscan(rest, &pid); err != nil {
				t.Fatalf("%v: %s", err, said)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			h.awaitEnd(t)
		})
	}
}

// A host that is started again stays away for longer than the others take to
// promote a replica: what its server has forgotten, they keep.
func TestARedisHostComesBackOnlyWhenItWasMissed(t *testing.T) {
	t.Parallel()
	dir, programs := t.TempDir(), t.TempDir()
	for _, name := range []string{"redis-server", "sleep"} {
		fake := fmt.Sprintf("#!/bin/sh\necho %s $1 >>log\n", name)
		if err := os.WriteFile(filepath.Join(programs, name), []byte(fake), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := filepath.Abs(filepath.Join(root, "deploy"))
	if err != nil {
		t.Fatal(err)
	}
	run := func() (steps []string) { // what the script does
		t.Helper()
		if err := os.RemoveAll(filepath.Join(dir, "log")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", folder+"/compose/redis.sh", "primary")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "CONFIG="+folder+"/redis",
			"PRIMARY_HOST=10.0.0.1", "PRIMARY_PORT=1")
		cmd.Env = append(cmd.Env, passwords...)
		out, ended := cmd.CombinedOutput() // the fakes end, and so does it
		log, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatalf("%v, %v: %s", err, ended, out)
		}
		return strings.Split(string(log), "\n")
	}

	once, again := run(), run()
	var seconds, missed int
	if _, err := fmt.Sscanf(again[0], "sleep %d", &seconds); err != nil || slices.Contains(once, again[0]) {
		t.Errorf("at its first start it does %q, at its second %q", once, again)
	}
	conf, err := os.ReadFile(folder + "/redis/sentinel.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(conf), "down-after-milliseconds flashgate ")
	if _, err := fmt.Sscan(after, &missed); err != nil || seconds*1000 < 3*missed {
		t.Errorf("it waits %d s, and is missed after %d ms, %v", seconds, missed, err)
	}
}

func requireRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		return
	}
	const advice = "redis-server is not installed: run `make deps`, or install it and put it on the PATH"
	if os.Getenv("CI") != "" || os.Getenv("REQUIRE_SERVERS") != "" {
		t.Fatal(advice)
	}
	t.Skip(advice)
}
