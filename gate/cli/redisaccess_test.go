package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
)

// Every command reaches a Redis that speaks TLS alone and asks for a
// certificate, and says what it lacks where it does not.
func TestAGateAndTheCommandsSpeakTLSWithRedis(t *testing.T) {
	t.Parallel()
	authority, stranger := redistest.NewAuthority(t), redistest.NewAuthority(t)
	url := redistest.StartTLS(t, authority).URL()
	trusted := []string{
		"--redis", url, "--redis-ca", authority.CA, "--redis-cert", authority.Cert, "--redis-key",
		authority.Key,
	}
	command(t, append([]string{"apply", "--open-now", "-f", testkit.SaleFile(t, openSale("race", 10))}, trusted...)...)
	gate := startGate(t, append(trusted, "--allow-unsigned")...)
	if err := sells(newCaller(t), gate, "race", order(1)); err != nil {
		t.Error(err)
	}
	for _, do := range [][]string{
		{"status", "race"},
		{"order", "race", order(1)},
		{"pause", "race"},
		{"resume", "race"},
		{"delete", "--drop-held", "race"},
	} {
		command(t, append(do, trusted...)...)
	}

	f := func(why string, flags ...string) {
		t.Helper()
		for _, do := range [][]string{{"status"}, {"serve", "--allow-unsigned"}} {
			status, _, said := try(t, nil, append(append(do, "--redis", url), flags...)...)
			if status != 1 || !strings.Contains(said, why) || strings.Contains(said, "sesame") {
				t.Errorf("%q: status %d and %q, want %q", flags, status, said, why)
			}
		}
	}
	f("takes only clients with a certificate, and this one has none", "--redis-ca", authority.CA)
	f("does not accept the client certificate", "--redis-ca", authority.CA, "--redis-cert", stranger.Cert,
		"--redis-key", stranger.Key)
	f("signed by unknown authority", "--redis-ca", stranger.CA, "--redis-cert", authority.Cert, "--redis-key",
		authority.Key)
	f("signed by unknown authority", "--redis-cert", authority.Cert, "--redis-key", authority.Key)
	f("private key does not match public key", "--redis-cert", authority.Cert, "--redis-key", stranger.Key)
	f("there is no certificate in it", "--redis-ca", authority.Key)
}

// The page shows the gate's user in the file that is to be copied, which is the
// one that every test's server has its user from.
func TestThePagesACLIsTheFilesToCopy(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(filepath.Join("..", "..", "deploy", "redis", "users.acl"))
	if err != nil {
		t.Fatal(err)
	}
	user, _, _ := strings.Cut(string(file), "\n")
	if page := pageBlock(t, "docs/redis.md", "text", "^user "); page != user+"\n" {
		t.Errorf("docs/redis.md has\n%s\ndeploy/redis/users.acl has\n%s", page, user)
	}
}
