package check

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The script starts servers that find each other: a sale can be written through
// a Sentinel, which Redis allows only where a replica has come. And the compose
// file's health checks see that they are well.
func TestComposesRedisIsAPrimaryWithReplicaAndSentinel(t *testing.T) {
	t.Parallel()
	requireRedis(t)
	p := project(t)
	passwords := []string{"REDIS_PASSWORD=for-gates", "REPLICA_PASSWORD=for-replicas", "SENTINEL_PASSWORD=for-sentinels"}
	primary, replica, sentinel := port(t), port(t), port(t)
	start := func(service, port string) {
		t.Helper()
		s, err := p.GetService(service)
		if err != nil {
			t.Fatal(err)
		}
		script, err := filepath.Abs(filepath.Join(root, "deploy/compose/redis.sh"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", append([]string{script}, s.Command...)...)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "CONFIG="+filepath.Join(filepath.Dir(script), "../redis"), "PRIMARY_HOST=127.0.0.1", "PRIMARY_PORT="+primary,
			"OWN_HOST=127.0.0.1", "OWN_PORT="+port)
		cmd.Env = append(cmd.Env, passwords...)
		startProgram(t, cmd)

		check := strings.Replace(s.HealthCheck.Test[1], "-p 26379 ", "", 1)
		check = strings.Replace(check, "redis-cli", "redis-cli -p "+port, 1)
		await(t, "the health check of "+service, func() error {
			probe := exec.Command("sh", "-c", check)
			probe.Env = append(os.Environ(), passwords...)
			out, err := probe.CombinedOutput()
			if err != nil {
				return fmt.Errorf("%s: %w: %s", check, err, out)
			}
			return nil
		})
	}
	start("redis1", primary)
	start("redis2", replica)
	start("sentinel1", sentinel)

	await(t, "a sale to be applied", func() error {
		out, err := exec.Command("flashgate", "apply", "--open-now", "--redis", "redis+sentinel://flashgate:for-gates@127.0.0.1:"+sentinel+"/flashgate",
			"-f", filepath.Join(root, "deploy/compose/sales.yaml")).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

func requireRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		return
	}
	const advice = "redis-server is not installed: run `make deps`, or install it and put it on the PATH"
	if os.Getenv("CI") != "" || os.Getenv("FLASHGATE_REQUIRE_SERVERS") != "" {
		t.Fatal(advice)
	}
	t.Skip(advice)
}
