package redistest

import (
	"strings"
	"testing"
)

// signIn opens a connection as the user of the server's URL.
func signIn(t *testing.T, server *Server) *connection {
	t.Helper()
	c, err := server.connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.do("AUTH", user, Password); err != nil {
		t.Fatal(err)
	}
	return c
}

// The user of the addresses may do what a gate does with a sale's keys, and
// nothing else.
func TestTheUserMayDoWhatAGateDoesAndNothingElse(t *testing.T) {
	t.Parallel()
	server := Start(t, "--enable-debug-command", "local")
	client := signIn(t, server)
	f := func(refused string, command ...any) {
		t.Helper()
		if _, err := client.do(command...); refused == "" && err != nil || refused != "" &&
			(err == nil || !strings.Contains(err.Error(), refused)) {
			t.Errorf("%v gives %v, want %q", command, err, refused)
		}
	}
	const script = "return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))"
	f("", "SADD", "fg:sales", "race")
	f("", "EVAL", script, 1, "fg:{race}", "HSET", "run", 1)
	f("", "HGET", "fg:{race}:orders", "order")
	for _, command := range []string{
		"CONFIG GET maxmemory", "KEYS *", "FLUSHALL", "DEBUG SLEEP 0", "ACL WHOAMI", "SCRIPT FLUSH", "SHUTDOWN",
		"REPLICAOF NO ONE",
		"CLIENT KILL TYPE normal", "CLIENT LIST", "CLUSTER RESET", "MONITOR", "SUBSCRIBE fg:sales",
		"PUBLISH fg:sales x",
		"GET fg:sales", "SCAN 0", "DUMP fg:sales", "RENAME fg:sales fg:others", "EXPIRE fg:sales 1", "COMMAND",
		"MODULE LIST",
	} {
		var args []any
		for _, arg := range strings.Fields(command) {
			args = append(args, arg)
		}
		f("NOPERM", args...)
	}
	f("permissions to access one of the keys", "SMEMBERS", "sales")
	f("permissions to access one of the keys", "HGET", "other:{race}", "run")
	f("permissions to access one of the keys", "EVAL", script, 1, "other", "HSET", "run", 1)
	f("can't run this command", "EVAL", script, 1, "fg:{race}", "EXPIRE", 1)
	f("can't access", "EVAL", "return redis.call('HSET', 'other', 'run', 1)", 0)
	server.Do(t, "ACL", "LOG", "RESET")
}

func TestWhatTheUserIsRefusedFailsTheTest(t *testing.T) {
	t.Parallel()
	failed := false
	server := Start(t)
	if _, err := signIn(t, server).do("GET", "fg:x"); err == nil {
		t.Error("GET is not refused")
	}
	server.t = errorTB{t, &failed}
	server.checkRights()
	if !failed {
		t.Error("nobody heard of it")
	}
	server.t, failed = t, false
	server.Do(t, "ACL", "LOG", "RESET")
}

// errorTB notes that a test would have failed.
type errorTB struct {
	testing.TB
	failed *bool
}

func (e errorTB) Errorf(string, ...any) { *e.failed = true }

func TestAServerWithTLSTakesOnlyClientsOfItsAuthority(t *testing.T) {
	t.Parallel()
	server := StartTLS(t, NewAuthority(t))
	wantReply(t, server, "PONG", "PING")
	if want := "rediss://flashgate:open%2Fsesame%407@" + server.Addr(); server.URL() != want {
		t.Errorf("URL %s, want %s", server.URL(), want)
	}
	plain := *server
	plain.authority = nil
	if _, err := plain.do("PING"); err == nil {
		t.Error("it answers without TLS")
	}
	nameless := *server
	nameless.authority = &Authority{client: server.authority.client.Clone()}
	nameless.authority.client.Certificates = nil
	if _, err := nameless.do("PING"); err == nil {
		t.Error("it answers a client without a certificate")
	}
	stranger := *server
	stranger.authority = NewAuthority(t)
	if _, err := stranger.do("PING"); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("another authority's client gets %v", err)
	}
}
