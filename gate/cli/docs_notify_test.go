package cli

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

// The page's server is started as it stands there, and a gate tells it of an order.
func TestThePagesServerIsToldOfAnOrder(t *testing.T) {
	t.Parallel()
	const modules = "../portone/testdata/npm"
	node := redistest.Require(t, "node")
	redistest.RequireModules(t, modules)
	found, err := filepath.Abs(filepath.Join(modules, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program, socket := filepath.Join(dir, "server.cjs"), filepath.Join(dir, "socket")
	if err := os.WriteFile(program, []byte(pageBlock(t, "docs/integrate.md", "js", `order\.revision`)),
		0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, program)
	cmd.Env = append(os.Environ(), "NODE_PATH="+found, "PORT="+socket, "FLASHGATE_NOTIFY_SECRET="+notifySecret)
	server := redistest.StartProgram(t, cmd)
	await(t, "the server", func() error { _, err := os.Stat(socket); return err })

	shop := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "shop"}) },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}},
	})
	t.Cleanup(shop.Close)
	gate := serveSale(t, redistest.Start(t).URL(), notifyingSale("race", shop.URL), "--notify-secret", notifySecret)
	a := newCaller(t).post(gate.listen, "/confirm/race?items=unit", "application/json", v1("주문-1", "imp_1"))
	if a.code != "held" {
		t.Fatalf("%+v", a)
	}
	await(t, "the order", func() error {
		if !strings.Contains(server.Log(), "order.held 주문-1 1\n") {
			return os.ErrNotExist
		}
		return nil
	})
	answer, err := http.Post(shop.URL, "application/json", strings.NewReader(`{"type":"order.paid"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest || strings.Contains(server.Log(), "paid") {
		t.Errorf("an unsigned message got %d, and the server printed\n%s", answer.StatusCode, server.Log())
	}
}
