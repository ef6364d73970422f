package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ample is more stock than a round can sell. It is the most that a SKU may have.
const ample = 1_000_000_000

// subject is something to measure.
type subject struct {
	name       string
	about      string // what it is, for the report
	sells      bool   // every request is answered 200; otherwise none is
	nobody     bool   // links name no buyer
	signed     bool   // links are signed, for the order of each request
	replicated bool   // Redis has a replica

	command func(*world, addresses) *exec.Cmd // the server, which answers 200 at /readyz when it is ready

	// Not every subject has the following.
	prepare func(context.Context, *world) error                // puts the sale into the empty store
	orders  func(context.Context, *world) (int, error)         // how many orders the store has
	count   func(context.Context, addresses) (counters, error) // what the server itself counts
}

// addresses are where a subject's server listens, and where its Redis is.
type addresses struct{ public, admin, redis string }

// subjects are all there are, in the order of a round.
func subjects() []subject {
	const floor, peer = "a bare fasthttp handler that answers a constant",
		"the usual way: net/http, one script call a request, which takes a unit for an order once"
	selling := subject{
		sells: true, command: gateWith(unsigned), prepare: applySale(ample, 2), orders: gateOrders,
		count: gateCounters,
	}
	as := func(name, about string, change func(*subject)) subject {
		s := selling
		s.name, s.about = name, about
		change(&s)
		return s
	}
	return []subject{
		{name: "floor", about: floor, sells: true, command: itself(floorWord)},
		{name: "peer", about: peer, sells: true, command: itself(peerWord), prepare: stockPeer, orders: peerOrders},
		as(gateName, "the gate selling, with a limit for each buyer", func(*subject) {}),
		as("signed", "the same with signed links", func(s *subject) { s.signed, s.command = true, gateWith(signed) }),
		as("no-buyer", "the gate selling to nobody in particular, without that limit",
			func(s *subject) { s.nobody, s.prepare = true, applySale(ample, 0) }),
		as("no-mirror", "the gate selling, without a copy of the sale (`--no-mirror`)",
			func(s *subject) { s.command = gateWith(unsigned, unmirrored) }),
		as("sold-out", "the gate refusing everybody, for all is sold", soldOut),
		as("sold-out-signed", "the same with signed links", func(s *subject) {
			soldOut(s)
			s.signed, s.command = true, gateWith(signed)
		}),
		as("sold-out-asked", "the same without a copy of the sale: Redis is asked each time", func(s *subject) {
			soldOut(s)
			s.command = gateWith(unsigned, unmirrored)
		}),
		as("replicated", "the gate selling, each 200 held by a replica too (`--wait-replicas 1`)", func(s *subject) {
			s.replicated, s.command = true, gateWith(unsigned, "FLASHGATE_WAIT_REPLICAS=1")
		}),
	}
}

// soldOut leaves a gate nothing to sell.
func soldOut(s *subject) { s.sells, s.prepare = false, applySale(0, 2) }

// gateName is the subject that the other parts of a run measure too.
const gateName = "gate"

// path is what the client asks for.
func (s subject) path() string {
	path := "/confirm/" + saleName + "?items=ticket"
	if s.nobody {
		return path
	}
	return path + "&buyer=u"
}

// itself returns the command that runs this program as one of bench's servers.
func itself(word string) func(*world, addresses) *exec.Cmd {
	return func(_ *world, at addresses) *exec.Cmd {
		return exec.Command(os.Args[0], ServerCommand, word, at.public, at.redis)
	}
}

func stockPeer(ctx context.Context, w *world) error {
	return w.redis.client.Set(ctx, peerStock, ample, 0).Err()
}

// peerOrders counts all keys but that of the stock.
func peerOrders(ctx context.Context, w *world) (int, error) {
	keys, err := w.redis.client.DBSize(ctx).Result()
	return int(keys) - 1, err
}

// The settings of a gate that differ between the subjects.
const (
	unsigned   = "FLASHGATE_ALLOW_UNSIGNED=true"
	signed     = "FLASHGATE_SIGNING_KEY=" + signingKey
	unmirrored = "FLASHGATE_NO_MIRROR=true"
)

// gateWith returns the command of a gate that has more variables set.
func gateWith(variables ...string) func(*world, addresses) *exec.Cmd {
	return func(w *world, at addresses) *exec.Cmd {
		cmd := w.program(context.Background(), "serve", "--redis", "redis://"+at.redis,
			"--listen", at.public, "--admin-listen", at.admin, "--drain-wait", "0s", "--log-level", "warn")
		cmd.Env = append(cmd.Env, variables...)
		return cmd
	}
}

// program returns a command of the gate's program, without the settings of a gate
// that the shell may have.
func (w *world) program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.flashgate, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(),
		func(variable string) bool { return strings.HasPrefix(variable, "FLASHGATE_") })
	return cmd
}

// applySale makes the sale. It has a limit per buyer that no buyer reaches, because to check the limit is part of the
// work.
func applySale(stock, perBuyer int) func(context.Context, *world) error {
	const file = `
sales:
  - name: %s
    run: 1
    opens_at: 2020-01-01T00:00:00Z
    closes_at: 2100-01-01T00:00:00Z
    hold: 5m
    per_buyer: %d
    skus:
      - {name: ticket, stock: %d, price: 110000}
`
	return func(ctx context.Context, w *world) error {
		path := filepath.Join(w.dir, "sales.yaml")
		if err := os.WriteFile(path, fmt.Appendf(nil, file, saleName, perBuyer, stock), 0o600); err != nil {
			return err
		}
		said, err := w.program(ctx, "apply", "--open-now", "--redis", "redis://"+w.redis.addr, "-f",
			path).CombinedOutput()
		if err != nil {
			return fmt.Errorf("flashgate apply: %w\n%s", err, said)
		}
		return nil
	}
}

func gateOrders(ctx context.Context, w *world) (int, error) {
	said, err := w.program(ctx, "status", saleName, "--redis", "redis://"+w.redis.addr, "--json").Output()
	if err != nil {
		return 0, fmt.Errorf("flashgate status: %w", err)
	}
	var status struct {
		Orders struct{ Held int }
	}
	if err := json.Unmarshal(said, &status); err != nil {
		return 0, fmt.Errorf("flashgate status: %w", err)
	}
	return status.Orders.Held, nil
}

func gateCounters(ctx context.Context, at addresses) (c counters, err error) {
	text, err := get(ctx, "http://"+at.admin+"/metrics")
	if err == nil {
		c, err = parseCounters(text)
	}
	if err != nil {
		return c, fmt.Errorf("reading the gate's metrics: %w", err)
	}
	return c, nil
}
