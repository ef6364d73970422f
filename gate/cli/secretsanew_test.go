package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/testkit"
	"github.com/flashgate/flashgate/loadtest/simtest"
)

// folder writes files of a test.
func folder(t *testing.T) func(name, text string) (path string) {
	dir := t.TempDir()
	return func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// confirmV2 confirms a unit of "race" as PortOne's V2 does, and wants an answer.
func confirmV2(t *testing.T, p *process, hook *standardwebhooks.Webhook, order, want string) {
	t.Helper()
	body, now := fmt.Sprintf(`{"payment_id":%q,"tx_id":"tx_1","total_amount":1000}`, order), time.Now()
	signature, err := hook.Sign("msg_1", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPost, "http://"+p.listen+"/confirm/race?items=unit",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"content-type": "application/json", "webhook-id": "msg_1", "webhook-timestamp": fmt.Sprint(now.Unix()),
		"webhook-signature": signature,
	} {
		request.Header.Set(name, value)
	}
	response, err := newCaller(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := bodyCode(text); code != want || err != nil {
		t.Errorf("%s is answered %s, %v; want %s", order, code, err, want)
	}
}

// Each secret that was given as a file is read anew, and the old one is worth
// nothing from then on; one that cannot be read keeps no other from it.
func TestAHangupReadsEachSecretAnew(t *testing.T) {
	t.Parallel()
	old, fresh := testkit.Webhook(t, simtest.HookSecret),
		testkit.Webhook(t, "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LTAwMDE=")
	var byOld, byFresh atomic.Int64
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
		case old.Verify(body, r.Header) == nil:
			byOld.Add(1)
		case fresh.Verify(body, r.Header) == nil:
			byFresh.Add(1)
		}
	}))
	t.Cleanup(shop.Close)
	told := func(what string, n *atomic.Int64) {
		t.Helper()
		await(t, "the shop to be told by the "+what+" secret", func() error {
			if n.Load() == 0 {
				return errors.New("it was not")
			}
			return nil
		})
	}
	file := folder(t)
	p := startGate(t, "--redis", "embedded", "--allow-unsigned", "--sales",
		file("sales", notifyingSale("race", shop.URL)),
		"--webhook-secret-file", file("webhook", simtest.HookSecret),
		"--notify-secret-file", file("notify", simtest.HookSecret),
		"--admin-read-token-file", file("reads", "kim:0123456789abcdef"))
	confirmV2(t, p, old, "o1", "held")
	told("old", &byOld)

	file("webhook", "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LTAwMDE=")
	file("notify", "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LTAwMDE=")
	file("reads", "lee:fedcba9876543210")
	p.hangup(t, 1)
	confirmV2(t, p, old, "o2", "bad_signature")
	confirmV2(t, p, fresh, "o3", "held")
	told("new", &byFresh)
	for token, want := range map[string]int{
		"fedcba9876543210": http.StatusOK,
		"0123456789abcdef": http.StatusUnauthorized,
	} {
		if status := getWithToken(t, p.admin, "/v1/sales", token); status != want {
			t.Errorf("the token %s: %d, want %d", token, status, want)
		}
	}

	file("webhook", "")
	file("notify", "none")
	file("reads", "kim:0123456789abcdef")
	p.hangup(t, 2)
	confirmV2(t, p, fresh, "o4", "held")
	if status := getWithToken(t, p.admin, "/v1/sales", "0123456789abcdef"); status != http.StatusOK {
		t.Errorf("a token behind what cannot be read: %d", status)
	}
}

// The password for Redis may stand in a file, beside an address that names the user, and
// is read anew for connections that are made from then on.
func TestAHangupReadsThePasswordForRedisAnew(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	address, err := url.Parse(redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	user := address.User.Username()
	address.User = url.User(user)
	file := folder(t)
	open := []string{"--redis", address.String(), "--redis-password-file", file("password", redistest.Password+"\n")}
	command(t, append([]string{"apply", "--open-now", "-f", file("sales", openSale("race", 10))}, open...)...)
	p := startGate(t, append(open, "--allow-unsigned")...)
	await(t, "a sale", func() error { return sells(newCaller(t), p, "race", order(0)) })

	redis.Do(t, "ACL", "SETUSER", user, "resetpass", ">another")
	file("password", "another")
	p.hangup(t, 1)
	redis.Do(t, "CLIENT", "KILL", "TYPE", "normal")
	await(t, "a sale by the new password", func() error { return sells(newCaller(t), p, "race", order(1)) })
	redis.Do(t, "ACL", "SETUSER", user, "resetpass", ">"+redistest.Password)
	redis.Do(t, "ACL", "LOG", "RESET") // the gate may have tried the old one before the hangup
}

// The certificates for Redis are read anew for connections that are made from then on.
func TestAHangupReadsCertificatesAnew(t *testing.T) {
	t.Parallel()
	authority, stranger := redistest.NewAuthority(t), redistest.NewAuthority(t)
	redis := redistest.StartTLS(t, authority)
	text := func(path string) string {
		t.Helper()
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	file := folder(t)
	trusted := []string{
		"--redis-ca", file("ca", text(authority.CA)), "--redis-cert", authority.Cert, "--redis-key",
		authority.Key,
	}
	command(t, append([]string{
		"apply", "--open-now", "--redis", redis.URL(), "-f",
		file("sales", openSale("race", 10)),
	}, trusted...)...)
	p := startGate(t, append(trusted, "--redis", redis.URL(), "--allow-unsigned")...)
	sold := func(n int) {
		t.Helper()
		await(t, "a sale", func() error { return sells(newCaller(t), p, "race", order(n)) })
	}

	sold(0)
	file("ca", text(stranger.CA))
	p.hangup(t, 1)
	sold(1) // on the connections that are there
	redis.Do(t, "CLIENT", "KILL", "TYPE", "normal")
	await(t, "the gate to refuse a server that another CA has signed for", func() error {
		if a := newCaller(t).confirm(p.listen, "race", order(2)); a.status != http.StatusServiceUnavailable {
			return fmt.Errorf("%d %s", a.status, a.code)
		}
		return nil
	})
	file("ca", text(authority.CA))
	p.hangup(t, 2)
	sold(3)
}
