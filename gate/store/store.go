package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/luascripts"
)

// DefaultFirstLook is the usual time from a hold to the first look at its order: most buyers have
// paid by then, or failed to.
const DefaultFirstLook = 20 * time.Second

// Deps are the dependencies of a Store. Log is needed; the others have defaults.
type Deps struct {
	// Own is this process's clock, which Redis' is held against; default time.Now.
	// Now is used instead of Redis' clock in tests; without Own nothing is held against it.
	Own, Now func() time.Time

	Metrics *Metrics // nil counts nothing
	Log     *slog.Logger
}

// Options of a Store. Its zero value is usable.
type Options struct {
	Who     string        // what the ledger names as the author of each change
	Timeout time.Duration // of one call to Redis without the wait for replicas; default 500 ms

	// WaitReplicas is how many replicas must have a hold before it is answered
	// 200, and WaitTimeout how long they get; 0 does not wait.
	WaitReplicas int
	WaitTimeout  time.Duration

	Credentials // which Renew replaces

	// FirstLook is how long after a hold its order is to be looked at; default 20 s.
	FirstLook time.Duration
}

// Store is a connection to the Redis that holds the sales.
type Store struct {
	address address
	client  redis.UniversalClient // for everything but the lanes
	dialer  *dialer
	deps    Deps
	opt     Options

	readings readings // of Read
}

// Open returns the store at an address of one of AddressForms. It connects when
// it is first used.
func Open(addr string, deps Deps, opt Options) (*Store, error) {
	a, err := parseAddress(addr)
	if err != nil {
		return nil, err
	}
	if !a.secure && (opt.CA != nil || opt.Certificate != nil) {
		return nil, errors.New("the Redis address is without TLS, where a CA and a client certificate are of no use: " +
			"write rediss instead of redis")
	}
	if opt.Timeout == 0 {
		opt.Timeout = 500 * time.Millisecond
	}
	if deps.Own == nil && deps.Now == nil {
		deps.Own = time.Now
	}
	if opt.FirstLook == 0 {
		opt.FirstLook = DefaultFirstLook
	}
	if a.hasPassword() && opt.Password != "" {
		return nil, errors.New("the Redis address has a password, and there is another one beside it: leave " +
			"one of them out")
	}
	d := &dialer{timeout: opt.Timeout, withPassword: opt.Password != "", metrics: deps.Metrics}
	d.credentials.Set(opt.Credentials)
	s := &Store{
		address: a, client: a.client(d), dialer: d, deps: deps, opt: opt,
		readings: readings{known: map[string]reading{}},
	}
	if !a.secure {
		s.client.AddHook(&schemeHint{})
	}
	deps.Metrics.watch(s.client)
	if opt.Certificate != nil {
		deps.Metrics.expires("client", opt.Certificate.Leaf)
	}
	return s, nil
}

// Close ends the connections that no Decider owns.
func (s *Store) Close() error { return s.client.Close() }

// Sales implements lane.Store.
func (s *Store) Sales(ctx context.Context) ([]string, error) {
	names, err := s.client.SMembers(ctx, salesKey).Result()
	if err != nil {
		return nil, fmt.Errorf("ask Redis for the names of the sales: %w", err)
	}
	return names, nil
}

// Expect implements lane.Store.
func (s *Store) Expect(ctx context.Context, name string) error {
	if err := s.client.SAdd(ctx, salesKey, name).Err(); err != nil {
		return fmt.Errorf("make sale %s known to the gates: %w", name, err)
	}
	return nil
}

// Sale implements gate.Register.
func (s *Store) Sale(ctx context.Context, name string) (gate.State, error) {
	times, hash, err := s.hash(ctx, name)
	if err != nil {
		return gate.State{Times: times}, err
	}
	return parseState(name, times, hash, nil)
}

// hash reads a sale's hash and the clocks at one instant.
func (s *Store) hash(ctx context.Context, sale string) (times gate.Times, hash map[string]string, err error) {
	times, hash, err = s.readHash(ctx, s.client, keysOf(sale).sale)
	if err == nil && len(hash) == 0 {
		return times, nil, s.none(ctx, sale)
	}
	return times, hash, err
}

// readHash reads a sale's hash and the clocks by a client. The hash is empty if there is none.
func (s *Store) readHash(ctx context.Context, client redis.Scripter, key string) (times gate.Times,
	hash map[string]string, err error,
) {
	reply, err := runOn(ctx, client, luascripts.Sale, []string{key}, s.clock())
	if err != nil {
		return times, nil, err
	}
	fields, _ := reply[1].([]any)
	return s.times(reply), hashOf(fields), nil
}

// hashOf returns the fields of a hash from their flat list.
func hashOf(fields []any) map[string]string {
	hash := make(map[string]string, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		hash[fmt.Sprint(fields[i])] = fmt.Sprint(fields[i+1])
	}
	return hash
}

// none returns the error for a sale that Redis does not have, not even as a tombstone:
// gate.ErrNoSale, or a *gate.MissingError if the sale is expected.
func (s *Store) none(ctx context.Context, sale string) error {
	names, err := s.Sales(ctx)
	switch {
	case err != nil:
		return err
	case slices.Contains(names, sale):
		return &gate.MissingError{Sale: sale}
	}
	return gate.ErrNoSale
}

// run calls a script and returns its reply.
func (s *Store) run(ctx context.Context, script luascripts.Script, keys []string, args ...any) ([]any, error) {
	return runOn(ctx, s.client, script, keys, args...)
}

func runOn(ctx context.Context, client redis.Scripter, script luascripts.Script, keys []string, args ...any) ([]any,
	error,
) {
	reply, err := client.EvalSha(ctx, script.SHA1, keys, args...).Slice()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = client.Eval(ctx, script.Source, keys, args...).Slice()
	}
	if err != nil {
		return nil, fmt.Errorf("call the script %s in Redis: %w", script.Name, doubted(err))
	}
	return reply, nil
}

// scriptCall is one of several calls of a script.
type scriptCall struct {
	keys []string
	args []any
}

// runAll calls a script several times in one round trip, or in two if a server does not know the
// script yet. Each call has its own error.
func (s *Store) runAll(ctx context.Context, script luascripts.Script, calls []scriptCall) []*redis.Cmd {
	pipe, again := s.client.Pipeline(), s.client.Pipeline()
	cmds := make([]*redis.Cmd, len(calls))
	for i, call := range calls {
		cmds[i] = pipe.EvalSha(ctx, script.SHA1, call.keys, call.args...)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, call := range calls {
		if redis.HasErrorPrefix(cmds[i].Err(), "NOSCRIPT") {
			cmds[i] = again.Eval(ctx, script.Source, call.keys, call.args...)
		}
	}
	_, _ = again.Exec(ctx)
	return cmds
}

// Check asks Redis what a gate should know before it starts. It returns an error if Redis cannot be
// reached, or if Redis may evict sales.
func (s *Store) Check(ctx context.Context) error {
	info, err := s.client.Info(ctx).Result()
	if err != nil {
		if saysNothing(err) {
			s.deps.Log.Warn("this user may not read INFO of Redis: make sure that its maxmemory-policy is noeviction",
				"error", err)
			return nil
		}
		return fmt.Errorf("cannot reach Redis: %w", err)
	}
	policy := infoField(info, "maxmemory_policy")
	if strings.HasPrefix(policy, "volatile-") {
		s.deps.Log.Warn("Redis evicts keys with an expiry when it is full; sales have none, but set "+
			"maxmemory-policy noeviction", "policy", policy)
	}
	return refuseEviction(policy)
}

// saysNothing reports whether err means that this user may not use the command, or that the server
// does not have it. Any other error is a failure.
func saysNothing(err error) bool {
	return redis.IsPermissionError(err) || redis.HasErrorPrefix(err, "ERR unknown command")
}

func refuseEviction(policy string) error {
	if strings.HasPrefix(policy, "allkeys-") {
		return fmt.Errorf("a full Redis would throw sales away (maxmemory-policy %s): set it to noeviction", policy)
	}
	return nil
}

// isSentinel reports whether INFO is a Sentinel's. Redis calls it redis_mode:sentinel
// and Valkey server_mode:sentinel; both tell how many primaries it watches.
func isSentinel(info string) bool { return infoField(info, "sentinel_masters") != "" }

// infoField returns a field of Redis' INFO; empty if INFO does not have it.
func infoField(info, field string) string {
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(line, ":"); ok && name == field {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
