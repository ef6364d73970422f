package cli

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

// The servers of the page are started as they stand there, and a gate asks them.
func TestThePagesServersHaveTheLastWord(t *testing.T) {
	t.Parallel()
	const page = "docs/integrate.md"
	modules, err := filepath.Abs("../portone/testdata/npm")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ program, language, pattern, file string }{
		{"node", "js", "usedCoupons", "shop.cjs"},
		{"python3", "python", "USED_COUPONS", "shop.py"},
	} {
		t.Run(test.program, func(t *testing.T) {
			t.Parallel()
			interpreter := redistest.Require(t, test.program)
			if test.program == "node" {
				redistest.RequireModules(t, modules)
			}
			file := filepath.Join(t.TempDir(), test.file)
			if err := os.WriteFile(file, []byte(pageBlock(t, page, test.language, test.pattern)), 0o600); err != nil {
				t.Fatal(err)
			}
			port := redistest.FreePort(t)
			cmd := exec.Command(interpreter, file)
			cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(modules, "node_modules"),
				fmt.Sprint("PORT=", port), "FLASHGATE_NOTIFY_SECRET="+notifySecret)
			redistest.StartProgram(t, cmd)
			shop := fmt.Sprint("http://127.0.0.1:", port)
			await(t, "the server", func() error {
				answer, err := http.Get(shop + "/up")
				if err == nil {
					answer.Body.Close()
				}
				return err
			})

			redis := redistest.Start(t)
			g := serveSale(t, redis.URL(), askingSale(10, "ask: "+shop+"/last-word, healthy: "+shop+"/up"),
				"--notify-secret", notifySecret)
			c := newCaller(t)
			await(t, "the shop to be known as up", func() error { return sells(c, g, "race", "주문-1") })
			if code, text := sentence(t, g, "ORD-COUPON"); code != "shop_refused" || text != "이미 사용된 쿠폰입니다." {
				t.Errorf("got %s %q", code, text)
			}
			stands(t, redis, 0, 1, 1)
			answer, err := http.Post(shop+"/last-word", "application/json",
				strings.NewReader(`{"type":"order.ask","order":"ORD-1"}`))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("what nobody signed got %s", answer.Status)
			}
		})
	}
}
