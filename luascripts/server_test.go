package luascripts_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/luascripts"
)

// server is a Redis that scripts run on, and nothing else uses.
type server struct {
	kind    string
	admin   redis.UniversalClient
	scripts redis.UniversalClient // as a user who may use the keys that confine names
	confine func(t *testing.T, keys []string)
	each    func(ctx context.Context, do func(context.Context, *redis.Client) error) error // every node
}

// onEach runs a test on each kind of server that the scripts are made for.
func onEach(t *testing.T, test func(t *testing.T, s *server)) {
	for _, start := range []struct {
		kind   string
		server func(*testing.T) *server
	}{{"redis", startRedis}, {"miniredis", startMiniredis}, {"cluster", startCluster}} {
		t.Run(start.kind, func(t *testing.T) {
			s := start.server(t)
			s.kind = start.kind
			test(t, s)
		})
	}
}

func startMiniredis(t *testing.T) *server {
	return oneNode(connect(t, miniredis.RunT(t).Addr(), ""))
}

// startRedis runs a redis-server on which a script can use no command that a
// gate may not use, and no key that it did not declare: its user has no other.
func startRedis(t *testing.T) *server {
	real := redistest.Start(t)
	s := oneNode(connect(t, real.Addr(), ""))
	s.scripts = connect(t, real.Addr(), "scripts")
	s.confine = func(t *testing.T, keys []string) {
		t.Helper()
		user := []any{"ACL", "SETUSER", "scripts", "reset"}
		for _, right := range redistest.Rights(t) {
			user = append(user, right)
		}
		user = append(user, "on", "nopass", "resetkeys")
		for _, key := range keys {
			user = append(user, "~"+key)
		}
		if err := s.admin.Do(t.Context(), user...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func startCluster(t *testing.T) *server {
	real := redistest.StartCluster(t, 3)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: real.Addrs(), Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { client.Close() })
	return &server{
		admin: client, scripts: client,
		confine: func(*testing.T, []string) {},
		each:    client.ForEachMaster,
	}
}

func oneNode(client *redis.Client) *server {
	return &server{
		admin: client, scripts: client,
		confine: func(*testing.T, []string) {},
		each: func(ctx context.Context, do func(context.Context, *redis.Client) error) error {
			return do(ctx, client)
		},
	}
}

func connect(t testing.TB, addr, user string) *redis.Client {
	client := redis.NewClient(&redis.Options{
		Addr: addr, Username: user, Password: user, Protocol: 2,
		DisableIdentity: true,
	})
	t.Cleanup(func() { client.Close() })
	return client
}

// call runs a script on the keys of a sale that it declares.
func (s *server) call(t *testing.T, script luascripts.Script, keys []string, args []any) (any, error) {
	t.Helper()
	s.confine(t, keys)
	return s.scripts.Eval(t.Context(), script.Source, keys, args...).Result()
}

// clear removes every key.
func (s *server) clear(t *testing.T) {
	t.Helper()
	err := s.each(t.Context(), func(ctx context.Context, node *redis.Client) error {
		return node.FlushAll(ctx).Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dump returns every key that there is with all that it holds, one line for
// each small part, in an order that depends on nothing else. A key of the given
// sale goes by its last name.
func (s *server) dump(t *testing.T, sale string) []string {
	t.Helper()
	var mu sync.Mutex // a Cluster's nodes are asked at once
	var keys []string
	err := s.each(t.Context(), func(ctx context.Context, node *redis.Client) error {
		found, err := node.Keys(ctx, "*").Result()
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, found...)
		return err
	})
	var lines []string
	slices.Sort(keys)
	for _, key := range keys {
		parts, problem := s.parts(t.Context(), key)
		if problem != nil {
			err = problem
		}
		for _, part := range parts {
			lines = append(lines, shortName(sale, key)+" "+part)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func (s *server) parts(ctx context.Context, key string) ([]string, error) {
	kind, err := s.admin.Type(ctx, key).Result()
	if err != nil {
		return nil, err
	}
	var parts []string
	switch kind {
	case "hash":
		fields, err := s.admin.HGetAll(ctx, key).Result()
		for field, value := range fields {
			parts = append(parts, field+"="+value)
		}
		slices.Sort(parts)
		if _, isSale := fields["run"]; isSale { // many small fields
			parts = []string{strings.Join(parts, " ")}
		}
		return parts, err
	case "zset":
		members, err := s.admin.ZRangeWithScores(ctx, key, 0, -1).Result()
		for _, m := range members {
			parts = append(parts, fmt.Sprintf("%s=%s", m.Member, strconv.FormatFloat(m.Score, 'f', -1, 64)))
		}
		return parts, err
	case "stream":
		reply, err := s.admin.Do(ctx, "XRANGE", key, "-", "+").Slice()
		for _, entry := range reply {
			pair := entry.([]any)
			text := fmt.Sprint(pair[0])
			fields := pair[1].([]any)
			for i := 0; i+1 < len(fields); i += 2 {
				text += fmt.Sprintf(" %v=%v", fields[i], fields[i+1])
			}
			parts = append(parts, text)
		}
		return parts, err
	case "string":
		value, err := s.admin.Get(ctx, key).Result()
		return []string{value}, err
	}
	return nil, fmt.Errorf("key %s is a %s, which no script writes", key, kind)
}

// keyNames are the last names of a sale's keys, in the order in which scripts
// declare them.
func keyNames() []string {
	return []string{
		"sale", "orders", "buyers", "ledger", "due", "gates", "notify", "owed", "again", "hastened",
		"alone", "strangers", "refunds", "aside", "faults", "reconcile", "disputes",
	}
}

func fullName(sale, name string) string {
	if name == "sale" {
		return "fg:{" + sale + "}"
	}
	return "fg:{" + sale + "}:" + name
}

func shortName(sale, key string) string {
	own := fullName(sale, "sale")
	if key == own {
		return "sale"
	}
	return strings.TrimPrefix(key, own+":")
}
