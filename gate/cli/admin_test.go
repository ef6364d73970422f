package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/redistest"
	"github.com/flashgate/flashgate/gate/web"
)

// ask calls the admin listener and returns its answer. A body is JSON.
func (p *process) ask(t testing.TB, token, method, path, body string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequest(method, "http://"+p.admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(read)
}

// A listener without tokens must be one that only this machine reaches, and what
// cannot be read names every interface.
func TestAnAddressThatSaysNothingIsNotLoopback(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:9090": true, "[::1]:9090": true, "localhost:9090": true, "127.8.9.1:0": true,
		"": false, "9090": false, "127.0.0.1": false, ":9090": false, "0.0.0.0:9090": false, "[::]:9090": false,
		"10.0.0.1:9090": false, "localhost.example.com:9090": false,
	} {
		if got := cmdline.Loopback(addr); got != want {
			t.Errorf("%q: %t, want %t", addr, got, want)
		}
	}
	c := serveCommand{adminFlag: adminFlag{AdminListen: ""}}
	if err := c.validate(); err == nil {
		t.Error("an empty admin address needs no token")
	}
	if tokens, err := c.tokens(); err != nil || !reflect.DeepEqual(tokens, &web.Tokens{}) {
		t.Errorf("its tokens are %+v, %v, want none that lets anybody in", tokens, err)
	}
}

// A shop's server asks for a link, and the gate takes it: for that order alone.
func TestALinkFromTheAdminAPIIsTaken(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef-shop"
	redis := redistest.Start(t)
	applySale(t, redis.URL(), openSale("race", 10))
	gate := startGate(t, "--redis", redis.URL(), "--admin-token", "shop:"+token, "--public-url",
		"https://gate.example.com",
		"--signing-key", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	status, text := gate.ask(t, token, "POST", "/v1/sales/race/confirm-url",
		`{"items":"unit:2","buyer":"김","order":"order-1","amount":1000}`)
	var said struct {
		ConfirmURL string `json:"confirm_url"`
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	link, err := url.Parse(said.ConfirmURL)
	if err != nil || !strings.HasPrefix(said.ConfirmURL, "https://gate.example.com/confirm/race?") {
		t.Fatalf("the link is %s", said.ConfirmURL)
	}
	caller := newCaller(t)
	if a := caller.post(gate.listen, link.RequestURI(), "application/json", v1("order-1", "i")); a.code != "held" {
		t.Errorf("its order: %+v", a)
	}
	a := caller.post(gate.listen, link.RequestURI(), "application/json", v1("order-2", "i"))
	if a.code != "bad_signature" {
		t.Errorf("another order: %+v", a)
	}

	// Who paused the sale is in its ledger, and what the pause replaced.
	if status, text := gate.ask(t, token, "POST", "/v1/sales/race/pause", ""); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	entries, _ := redis.Do(t, "XREVRANGE", "fg:{race}:ledger", "+", "-", "COUNT", 1).([]any)
	newest := fmt.Sprint(entries...)
	if !strings.Contains(newest, "\x1fpause\x1fshop") || strings.Count(newest, `"paused":`) != 2 {
		t.Errorf("the newest ledger entry is %q", newest)
	}
	await(t, "the gate to know", func() error {
		if a := caller.confirm(gate.listen, "race", "order-3"); a.code != "bad_signature" { // it is unsigned
			return fmt.Errorf("%+v", a)
		}
		if status, text := gate.ask(t, token, "GET", "/v1/sales/race", ""); status != 200 ||
			!strings.Contains(text, `"state": "paused"`) {
			return errors.New(text)
		}
		return nil
	})
}

func TestTheAdminListenerSpeaksTLSAndTakesANewCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	first := install(t, redistest.NewAuthority(t), cert, key)
	gate := spawn(t, "--redis", "embedded", "--admin-tls-cert", cert, "--admin-tls-key", key)
	await(t, "the gate to serve", func() error {
		serving, ok := gate.logged("serving")
		if !ok {
			return errors.New("it is not serving")
		}
		gate.admin = fmt.Sprint(serving["admin"])
		return nil
	})
	trusts := func(roots *x509.CertPool) error {
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: roots},
		}}
		answer, err := client.Get("https://" + gate.admin + "/healthz")
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}
	if err := trusts(first); err != nil {
		t.Error(err)
	}
	if answer, err := http.Get("http://" + gate.admin + "/healthz"); err == nil && answer.StatusCode == http.StatusOK {
		t.Error("it answers without TLS")
	}

	second := install(t, redistest.NewAuthority(t), cert, key)
	// whatever the file system's clock
	if err := os.Chtimes(cert, time.Time{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	await(t, "the new certificate to be used", func() error { return trusts(second) })
	if err := os.WriteFile(cert, []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := trusts(second); err != nil {
		t.Errorf("with a broken file the certificate before is not used: %v", err)
	}
}

// install copies an authority's certificate for servers, and returns what trusts it.
func install(t *testing.T, a *redistest.Authority, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	for from, to := range map[string]string{a.ServerKey: keyFile, a.ServerCert: certFile} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ca, err := os.ReadFile(a.CA)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(ca) {
		t.Fatalf("%s: %v", a.CA, err)
	}
	return pool
}

// A gate audits its sales for whoever may read.
func TestAGateAuditsItsSales(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	p := serveSale(t, redis.URL(), openSale("race", 10), "--admin-read-token", "0123456789abcdef-viewer")
	if a := newCaller(t).confirm(p.listen, "race", "order-1"); a.code != "held" {
		t.Fatalf("%+v", a)
	}
	f := func(want ...string) {
		t.Helper()
		status, text := p.ask(t, "0123456789abcdef-viewer", "GET", "/v1/sales/race/audit", "")
		for _, part := range want {
			if status != http.StatusOK || !strings.Contains(text, part) {
				t.Errorf("%d %s, want %s", status, text, part)
			}
		}
	}
	f(`"orders": 1,`, `"differences": 0,`, `"findings": []`)
	redis.Do(t, "HDEL", "fg:{race}:orders", "order-1")
	f(`"kind": "order_lost"`, `"order": "order-1"`)
}
