package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate/redistest"
)

// With a Sentinel on each Redis host and nowhere else, whoever can promote a
// replica has the majority of the data too, and so each order that was answered
// 200. With Sentinels elsewhere a cut sells units twice, which is the measure for
// what their place is for.
func TestACutNetwork(t *testing.T) {
	t.Parallel()
	newNetwork(t) // or skip all of it, before anything is built
	d := &deployment{t: t, dir: t.TempDir()}
	d.build()
	t.Run("leaves the primary a replica", func(t *testing.T) {
		t.Parallel()
		p := startPartition(t, d.program, []string{left, left, right})
		p.cut()
		p.flood.await(t, left, "held")
		p.flood.await(t, left, "sold_out")
		p.flood.await(t, right, "unavailable")
		await(t, "the third host's Sentinel to have had time to promote",
			func() error { return p.longAlone(p.sentinels[2]) })
		p.heal()
		p.checkPromises(0)
	})
	t.Run("leaves the primary alone", func(t *testing.T) {
		t.Parallel()
		p := startPartition(t, d.program, []string{left, right, right})
		p.cut()
		p.flood.await(t, left, "not_durable")
		p.flood.await(t, right, "held")
		p.flood.await(t, right, "sold_out")
		p.heal()
		p.checkPromises(1, 2)
	})
	// They promote a server that knows nothing of what the primary goes on to sell,
	// and it is sold again when the primary has become a replica.
	t.Run("sells twice where the Sentinels have hosts of their own", func(t *testing.T) {
		t.Parallel()
		p := startPartition(t, d.program, []string{left, left, right}, right, right, right)
		p.cut()
		p.flood.await(t, left, "sold_out")
		await(t, "the third host to be promoted", func() error { return p.leads(2) })
		p.heal()
		p.settle(2)
		t.Logf("%d promises of %d units: %v", p.flood.promises(), unitsToCut, p.flood.codes)
		if p.flood.promises() <= unitsToCut {
			t.Error("nothing is sold twice: the test no longer shows what the Sentinels' place is for")
		}
	})
}

const unitsToCut = 200

// partition is a sale on three Redis hosts, with a gate at each half of a network
// and buyers at both.
type partition struct {
	*redisServers
	t       *testing.T
	network *network
	flood   *flood
}

// startPartition starts Redis on hosts at these halves, the first of them the
// primary. A Sentinel is on each, unless they get hosts of their own.
func startPartition(t *testing.T, program string, redis []string, sentinels ...string) *partition {
	t.Helper()
	p := &partition{t: t, network: newNetwork(t), flood: newFlood(left, right)}
	hosts, watchers := p.network.hostsAt(redis), p.network.hostsAt(sentinels)
	if len(watchers) == 0 {
		watchers = hosts
	}
	gates := map[string]machine{left: p.network.host(left), right: p.network.host(right)}
	p.redisServers = startRedis(t, hosts, watchers)

	sale := filepath.Join(t.TempDir(), "sales.yaml")
	write(t, sale, fmt.Sprintf("sales: [{name: cut, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, "+
		"hold: 1h, skus: [{name: unit, stock: %d}]}]", unitsToCut))
	reaching := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Env = append(os.Environ(), "FLASHGATE_REDIS="+p.url)
		return cmd
	}
	if said, err := reaching(gates[left].command(program, "apply", "--open-now", "-f",
		sale)).CombinedOutput(); err != nil {
		t.Fatalf("applying the sale: %v: %s", err, said)
	}
	clients := map[string]*http.Client{}
	for side, host := range gates {
		client, at := &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: host.dial}},
			host.addr+":8080"
		t.Cleanup(client.CloseIdleConnections)
		gate := redistest.StartProgram(t,
			reaching(host.command(program, "serve", "--listen", at, "--wait-replicas", "1",
				"--allow-unsigned", "--name", side)))
		awaitUp(t, gate, "the gate to be ready", func() error { return ready(client, at) })
		clients[side] = client
	}
	t.Cleanup(p.flood.stop)
	for side, client := range clients {
		p.flood.come(side, client, "http://"+gates[side].addr+":8080/confirm/cut?items=unit")
	}
	return p
}

// cut cuts the network while a part of the units is sold.
func (p *partition) cut() {
	p.t.Helper()
	await(p.t, "some units to be sold", func() error {
		if sold := p.flood.promises(); sold < unitsToCut/8 {
			return fmt.Errorf("%d are", sold)
		}
		return nil
	})
	p.network.cut()
	sold := p.flood.promises()
	p.t.Logf("the network is cut after %d promises", sold)
	if sold > unitsToCut*3/4 {
		p.t.Fatal("too many units are sold already: the test shows nothing")
	}
}

func (p *partition) heal() {
	p.t.Helper()
	p.t.Logf("the network is healed after %d promises", p.flood.promises())
	p.network.heal()
}

// checkPromises waits until one of these hosts leads the others, and all units
// are sold; then it holds what was promised against what Redis has.
func (p *partition) checkPromises(mayLead ...int) {
	p.t.Helper()
	primary := p.settle(mayLead...)
	p.t.Logf("%d promises of %d units: %v", p.flood.promises(), unitsToCut, p.flood.codes)
	for _, wrong := range p.flood.wrong {
		p.t.Error(wrong)
	}
	recorded, err := primary.HGetAll(context.Background(), "fg:{cut}:orders").Result()
	if err != nil {
		p.t.Fatal(err)
	}
	if len(recorded) != unitsToCut || p.flood.promises() > unitsToCut {
		p.t.Errorf("of %d units %d are held, and %d were promised", unitsToCut, len(recorded), p.flood.promises())
	}
	for order := range p.flood.promised {
		if recorded[order] == "" {
			p.t.Errorf("%s was answered 200 and is not recorded", order)
		}
	}
}

// settle waits for Redis to be whole again and for both gates to have nothing
// left, and sends the buyers home. It returns the server that leads.
func (p *partition) settle(mayLead ...int) (primary *redisServer) {
	p.t.Helper()
	await(p.t, "one server to lead two others", func() (err error) {
		for _, number := range mayLead {
			if led := p.leads(number, "connected_slaves:2"); led == nil {
				primary = p.servers[number]
				return nil
			} else {
				err = errors.Join(err, led)
			}
		}
		return err
	})
	for _, gate := range []string{left, right} {
		p.flood.await(p.t, gate, "sold_out")
	}
	p.flood.stop()
	return primary
}

// leads returns nil where a server is a primary, of whom INFO says more.
func (p *partition) leads(number int, more ...string) error {
	info, err := p.servers[number].Info(context.Background(), "replication").Result()
	for _, want := range append(more, "role:master") {
		if err == nil && !strings.Contains(info, want) {
			err = fmt.Errorf("host %d does not say %s: %s", number, want, info)
		}
	}
	return err
}

// longAlone returns nil where a Sentinel has missed the primary for so long that
// it would have promoted a replica, had it been able to.
func (p *partition) longAlone(sentinel *redis.SentinelClient) error {
	seen, err := sentinel.Master(context.Background(), "flashgate").Result()
	if err != nil {
		return err
	}
	if missed, _ := strconv.Atoi(seen["s-down-time"]); missed < 5000 {
		return fmt.Errorf("it sees %v", seen)
	}
	return nil
}
