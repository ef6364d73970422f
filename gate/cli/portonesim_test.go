package cli

import (
	"errors"
	"regexp"
	"testing"
)

// startPortone simulates PortOne on a free port, and returns its URL.
func startPortone(t testing.TB, args ...string) (p *process, url string) {
	t.Helper()
	p = launch(t, append([]string{"portone-sim", "--listen", "127.0.0.1:0"}, args...)...)
	hint := regexp.MustCompile(`simulated at (http://127\.0\.0\.1:\d+)\.(?s:.*)/sim/payments\n`)
	await(t, "the simulator to listen", func() error {
		if p.ended() {
			t.Fatalf("the simulator ended: %v\n%s", p.cmd.ProcessState, p.stderr.String())
		}
		found := hint.FindStringSubmatch(p.stdout.String())
		if found == nil {
			return errors.New("it has not said where it is")
		}
		url = found[1]
		return nil
	})
	return p, url
}
