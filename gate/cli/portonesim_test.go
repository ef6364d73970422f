package cli

import (
	"errors"
	"reflect"
	"regexp"
	"testing"

	"github.com/flashgate/flashgate/loadtest/portonesim"
)

// startPortone simulates PortOne on a free port, and returns its URL.
func startPortone(t testing.TB, args ...string) (p *process, url string) {
	t.Helper()
	p = startProcess(t, "flashgate", append([]string{"portone-sim", "--listen", "127.0.0.1:0"}, args...)...)
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

func TestWhateverMayGoWrongHasAFlag(t *testing.T) {
	t.Parallel()
	var c portoneSimCommand
	flags := reflect.ValueOf(&c).Elem()
	for i, field := range reflect.VisibleFields(reflect.TypeFor[portonesim.Plan]()) {
		flag := flags.FieldByName(field.Name)
		if !flag.IsValid() {
			t.Errorf("%s has no flag", field.Name)
			continue
		}
		number := reflect.ValueOf(i + 1).Convert(field.Type)
		flag.Set(number)
		if got := reflect.ValueOf(c.options().Plan).FieldByName(field.Name); !got.Equal(number) {
			t.Errorf("%s is %v in the plan, want %v", field.Name, got, number)
		}
	}
}
