package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

// What the page's function shows, a line whenever it changes.
const watchingPage = `
let last;
watchSale(process.argv[2], (...shown) => {
  const line = shown.join(" ");
  if (line !== last) console.log(last = line);
});
`

func TestThePagesFunctionShowsWhatIsLeft(t *testing.T) {
	t.Parallel()
	node := redistest.Require(t, "node")
	redis := redistest.Start(t)
	g := serveSale(t, redis.URL(), openSale("race", 1))
	file := filepath.Join(t.TempDir(), "page.mjs")
	code := pageBlock(t, "docs/integrate.md", "js", "function watchSale")
	if n := strings.Count(code, "\n"); n > 12 {
		t.Errorf("the page's function has %d lines", n)
	}
	if err := os.WriteFile(file, []byte(code+watchingPage), 0o600); err != nil {
		t.Fatal(err)
	}
	page := redistest.StartProgram(t, exec.Command(node, file, "http://"+g.listen+"/sales/race"))
	want := ""
	shows := func(line string) {
		t.Helper()
		want += line + "\n"
		await(t, line, func() error {
			if got := page.Log(); got != want {
				return fmt.Errorf("the page shows\n%s, want\n%s", got, want)
			}
			return nil
		})
	}
	shows("unit true 구매하기")
	if err := sells(newCaller(t), g, "race", "order-1"); err != nil {
		t.Fatal(err)
	}
	shows("unit false 매진")
	command(t, "pause", "--redis", redis.URL(), "race")
	shows("unit false 잠시 멈춤")
	command(t, "resume", "--redis", redis.URL(), "race")
	shows("unit false 매진")
	if status, text := g.ask(t, "", "POST", "/v1/sales/race/orders/order-1/report", `{"state":"released"}`); status != 200 {
		t.Fatal(status, text)
	}
	shows("unit true 구매하기")
	applySale(t, redis.URL(), closedSale("race"))
	shows("unit false 판매 종료")
	g.stop(t) // what is shown stays
	if got := page.Log(); got != want {
		t.Errorf("without a gate the page shows\n%s", got)
	}
}
