package check

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const (
	composeFile  = root + "/deploy/compose/compose.yaml"
	salesFile    = root + "/deploy/compose/sales.yaml"
	mountedSales = "/etc/flashgate/sales.yaml" // where a service finds it
)

// project reads the compose file as docker compose does, with no variable set.
func project(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{composeFile}, cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposeMountsOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	p := project(t)
	exists := func(what, path string) {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for name, config := range p.Configs {
		if config.Content == "" {
			exists("config "+name, config.File)
		}
	}
	for _, service := range p.Services {
		for _, v := range service.Volumes {
			if v.Type == types.VolumeTypeBind {
				exists("service "+service.Name, v.Source)
			}
		}
		if b := service.Build; b != nil {
			exists("service "+service.Name, filepath.Join(b.Context, b.Dockerfile))
		}
	}
}

// A service may wait for another to be healthy only if that says how it is.
func TestComposeWaitsOnlyForWhatComes(t *testing.T) {
	t.Parallel()
	p := project(t)
	for _, service := range p.Services {
		for name, wait := range service.DependsOn {
			other, err := p.GetService(name)
			if err != nil {
				t.Errorf("%s depends on %s: %v", service.Name, name, err)
				continue
			}
			// The image of a gate has a health check, that of the rehearsal program has none.
			checked := other.Build != nil && other.Build.Target == "" || other.HealthCheck != nil
			if wait.Condition == types.ServiceConditionHealthy && !checked {
				t.Errorf("%s waits until %s is healthy, which has no health check", service.Name, name)
			}
			if wait.Condition == types.ServiceConditionCompletedSuccessfully && other.Restart != "" &&
				other.Restart != types.RestartPolicyNo {
				t.Errorf("%s waits for the end of %s, which is restarted", service.Name, name)
			}
		}
	}
}

// The simulator calls any URL that it is told to, and the passwords are known.
func TestComposePublishesNothingBeyondThisMachine(t *testing.T) {
	t.Parallel()
	ports := map[string]string{}
	for _, service := range project(t).Services {
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q", service.Name, port.Published, port.HostIP)
			}
			if other := ports[port.Published]; other != "" {
				t.Errorf("%s and %s publish port %s", service.Name, other, port.Published)
			}
			ports[port.Published] = service.Name
		}
	}
	if len(ports) == 0 {
		t.Error("nothing is published")
	}
}

// The names by which services call each other are services, and the variables
// that files of deploy/ ask for are set.
func TestComposeGivesWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	p := project(t)
	f := func(service, variable string) string {
		t.Helper()
		s, err := p.GetService(service)
		if err != nil {
			t.Fatal(err)
		}
		if s.Environment[variable] == nil {
			t.Fatalf("%s has no %s", service, variable)
		}
		return *s.Environment[variable]
	}
	host := func(address string) {
		t.Helper()
		name, _, _ := strings.Cut(address, ":")
		if _, err := p.GetService(name); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}

	for _, gate := range []string{"GATE1", "GATE2", "GATE3"} {
		host(f("haproxy", gate))
	}
	f("haproxy", "LISTEN")
	f("haproxy", "CERT")
	f("haproxy", "STATS")
	for _, sentinel := range sentinels(f("gate1", "FLASHGATE_REDIS")) {
		host(sentinel)
	}
	for _, url := range []string{f("gate1", "FLASHGATE_PORTONE_V1_URL"), f("gate1", "FLASHGATE_PORTONE_V2_URL")} {
		host(strings.TrimPrefix(url, "http://"))
	}
	primary, err := p.GetService("redis1")
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range p.Services {
		if host := service.Environment["PRIMARY_HOST"]; host != nil &&
			*host != primary.Networks["default"].Ipv4Address {
			t.Errorf("%s looks for the primary at %s", service.Name, *host)
		}
	}
	if f("gate1", "FLASHGATE_ADMIN_READ_TOKEN") != "prometheus:"+p.Configs["gate-token"].Content {
		t.Error("Prometheus shows another token than the gates take")
	}
}

// sentinels returns the hosts that an address of Redis names.
func sentinels(address string) []string {
	_, hosts, _ := strings.Cut(address, "@")
	return strings.Split(strings.TrimSuffix(hosts, "/flashgate"), ",")
}

// Whoever can promote a replica has the majority of the data only where a
// Sentinel is on each Redis host, and nowhere else. Those that run redis.sh are
// such hosts, and nothing else runs Redis' image.
func TestComposeHasASentinelOnEachRedisHostAndNowhereElse(t *testing.T) {
	t.Parallel()
	p := project(t)
	var hosts []string
	for _, service := range p.Services {
		if !strings.HasPrefix(service.Image, "redis:") {
			continue
		}
		hosts = append(hosts, service.Name)
		if !slices.Equal(service.Entrypoint, types.ShellCommand{"sh", "/etc/flashgate/redis.sh"}) ||
			service.NetworkMode != "" {
			t.Errorf("%s is no Redis host of its own: it runs %q in the network %q", service.Name, service.Entrypoint,
				service.NetworkMode)
		}
	}
	slices.Sort(hosts)
	for _, service := range p.Services {
		if address := service.Environment["FLASHGATE_REDIS"]; address != nil &&
			!slices.Equal(sentinels(*address), hosts) {
			t.Errorf("%s asks the Sentinels %q, and the Redis hosts are %q", service.Name, sentinels(*address), hosts)
		}
	}
	if len(hosts) != 3 {
		t.Errorf("there are %d Redis hosts", len(hosts))
	}
}

// Every gate's command line is one that the program takes: it ends because it
// cannot reach Redis (1), not because the command line is wrong (2).
func TestComposeStartsGatesAsTheyWantIt(t *testing.T) {
	t.Parallel()
	gates := 0
	for _, service := range project(t).Services {
		if service.Build == nil || !slices.Equal(service.Command, types.ShellCommand{"serve"}) {
			continue
		}
		gates++
		cmd := flashgate(t, service)
		cmd.Env = append(cmd.Env, "FLASHGATE_REDIS="+strings.NewReplacer(
			"redis1", "127.0.0.1:1", "redis2", "127.0.0.1:1", "redis3", "127.0.0.1:1",
		).Replace(*service.Environment["FLASHGATE_REDIS"]))
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "flashgate: --redis: ") {
			t.Errorf("%s: %v\n%s", service.Name, err, out)
		}
	}
	if gates != 3 {
		t.Errorf("there are %d gates", gates)
	}
}

// With the compose file's settings, but on one Redis, the demo sale is made by its
// service and sold by a gate: the simulator, started as the compose file does, pays
// for a ticket. The gate came first, as it may, and HAProxy waits for the sale.
func TestComposePutsTheDemoSaleOnSale(t *testing.T) {
	t.Parallel()
	requireRedis(t)
	p := project(t)
	public, admin, portone, redis := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	_, redisPort, _ := strings.Cut(redis, ":")
	startProgram(t, exec.Command("redis-server", "--bind", "127.0.0.1", "--port", redisPort, "--save", ""))
	await(t, "Redis", func() error {
		return exec.Command("flashgate", "status", "--redis", "redis://"+redis).Run()
	})
	program := func(name string, more ...string) *exec.Cmd {
		t.Helper()
		service, err := p.GetService(name)
		if err != nil {
			t.Fatal(err)
		}
		cmd := flashgate(t, service)
		cmd.Env = append(slices.DeleteFunc(append(cmd.Env, more...), func(variable string) bool {
			return strings.HasPrefix(variable, "FLASHGATE_REDIS=") ||
				strings.HasPrefix(variable, "FLASHGATE_WAIT_REPLICAS=")
		}), "FLASHGATE_REDIS=redis://"+redis)
		for i, arg := range cmd.Args {
			arg = strings.Replace(arg, "0.0.0.0:8081", portone, 1)
			cmd.Args[i] = strings.Replace(arg, mountedSales, salesFile, 1)
		}
		return cmd
	}
	start := func(name string, more ...string) { t.Helper(); startProgram(t, program(name, more...)) }
	start("portone")
	start("gate1", "FLASHGATE_LISTEN="+public, "FLASHGATE_ADMIN_LISTEN="+admin,
		"FLASHGATE_PORTONE_V1_URL=http://"+portone, "FLASHGATE_PORTONE_V2_URL=http://"+portone)
	for _, url := range []string{"http://" + public + "/readyz", "http://" + portone + "/sim/payments"} {
		awaitHealth(t, url)
	}

	haproxy, err := p.GetService("haproxy")
	if err != nil || haproxy.DependsOn["sale"].Condition != types.ServiceConditionCompletedSuccessfully {
		t.Errorf("HAProxy does not wait for the sale: %v, %v", haproxy.DependsOn, err)
	}
	made := func(want string) {
		t.Helper()
		sale := program("sale")
		sale.Stderr = os.Stderr // when its window is
		if out, err := sale.Output(); err != nil || string(out) != want {
			t.Errorf("the sale's service: %v, %s, want %s", err, out, want)
		}
	}
	made("demo: created\n")
	await(t, "the gate to know the sale", func() error {
		if answer := payment(t, public, portone); !strings.Contains(answer, `"confirmStatus":200`) {
			return fmt.Errorf("the simulator says %s", answer)
		}
		return nil
	})

	// When all is started again, nothing of it is as on the first day.
	if out, err := exec.Command("flashgate", "pause", "demo", "--redis",
		"redis://"+redis).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	made("demo: kept as it is\n")
}

// payment makes the payment that the compose file's first lines show.
func payment(t *testing.T, gate, portone string) string {
	t.Helper()
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	_, line, found := strings.Cut(string(text), "curl -s localhost:8081/sim/pay -d '")
	body, _, closed := strings.Cut(line, "'\n")
	if !found || !closed {
		t.Fatal("the compose file shows no payment")
	}
	return post(t, "http://"+portone+"/sim/pay", strings.ReplaceAll(body, "https://haproxy:8443", "http://"+gate))
}

// flashgate returns the program of a service's image with its command line and environment.
func flashgate(t *testing.T, service types.ServiceConfig) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	program := "flashgate"
	if service.Build.Target != "" {
		program += "-" + service.Build.Target
	}
	cmd := exec.CommandContext(ctx, program, service.Command...)
	cmd.Env = os.Environ()
	for name, value := range service.Environment {
		if name != "SSL_CERT_FILE" {
			cmd.Env = append(cmd.Env, name+"="+*value)
		}
	}
	return cmd
}

func TestComposeIsTakenByDocker(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("docker", "compose", "version").CombinedOutput(); err != nil {
		t.Skipf("docker compose is not installed: %s", strings.TrimSpace(string(out)))
	}
	if out, err := exec.Command("docker", "compose", "-f", composeFile, "config",
		"--quiet").CombinedOutput(); err != nil {
		t.Errorf("docker compose config: %v\n%s", err, out)
	}
}
