package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate"
)

// tried is what checks try in these tests: what is wrong with each subject.
type tried struct {
	mu    sync.Mutex
	wrong map[string]error
	times map[string]int
}

func (w *tried) set(subject string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong[subject] = err
}

func (w *tried) drop(subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.wrong, subject)
}

func (w *tried) subjects() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for subject := range w.wrong {
		all = append(all, subject, subject) // as two sales with one shop
	}
	return all
}

func (w *tried) try(_ context.Context, subject string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times[subject]++
	return w.wrong[subject]
}

// runChecks runs checks in a bubble until stop, or the test's end, and returns when
// each was tried. Their log is in the returned journal.
func runChecks(t *testing.T, all ...check) (c *checks, log *journal, stop func()) {
	t.Helper()
	log = &journal{}
	c = newChecks(all, time.Now, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.run(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	synctest.Wait()
	return c, log, stop
}

// since returns what was logged since it was asked last.
func (j *journal) since() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := j.text.String()
	j.text = bytes.Buffer{}
	return text
}

func TestWhatIsNotAsItShouldBeIsLoggedOncePerChangeAndShownMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		shops := &tried{
			wrong: map[string]error{"a": nil, "b": errors.New("b is down: start it")},
			times: map[string]int{},
		}
		c, log, _ := runChecks(t, check{"shop_notify", shops.subjects, shops.try})
		f := func(what, wantLog, gauge string, want ...gate.Check) {
			t.Helper()
			synctest.Wait()
			if got := log.since(); (got == "") != (wantLog == "") || !strings.Contains(got, wantLog) ||
				strings.Count(got, "\n") > 1 {
				t.Errorf("%s: the log has\n%swant %q", what, got, wantLog)
			}
			if got := fmt.Sprint(testutil.ToFloat64(c.gauge.WithLabelValues("shop_notify"))); got != gauge {
				t.Errorf("%s: the gauge is %s, want %s", what, got, gauge)
			}
			got := c.list()
			for i := range got {
				if age := time.Since(got[i].TriedAt); age > checkEvery+watchEvery {
					t.Errorf("%s: %s was tried %v ago", what, got[i].Subject, age)
				}
				got[i].TriedAt = time.Time{}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: got\n%+v, want\n%+v", what, got, want)
			}
		}
		good := func(subject string, since time.Time) gate.Check {
			return gate.Check{Name: "shop_notify", Subject: subject, OK: true, Since: since}
		}
		bad := func(subject, problem string, since time.Time) gate.Check {
			return gate.Check{Name: "shop_notify", Subject: subject, Problem: problem, Since: since}
		}
		const down,
			up = `level=WARN msg="what this gate depends on is not as it should be" check=shop_notify subject=b problem="b is `,
			`level=INFO msg="what this gate depends on is as it should be again" check=shop_notify subject=b`
		f("at first", down+`down: start it"`, "0", good("a", began), bad("b", "b is down: start it", began))
		time.Sleep(10 * time.Minute)
		f("still", "", "0", good("a", began), bad("b", "b is down: start it", began))
		if n := shops.times["a"]; n < 9 || n > 11 {
			t.Errorf("in ten minutes it was tried %d times", n)
		}
		shops.set("b", errors.New("b is slow"))
		time.Sleep(checkEvery)
		f("for another reason", down+`slow"`, "0", good("a", began), bad("b", "b is slow", began))
		shops.set("b", nil)
		time.Sleep(checkEvery)
		mended := time.Now()
		f("mended", up, "1", good("a", began), good("b", mended))

		shops.set("b", &gate.UnknownError{Reason: "nobody knows"})
		time.Sleep(checkEvery)
		unknown := bad("b", "nobody knows", time.Now())
		unknown.Unknown = true
		f("unknown", `level=INFO msg="it is not known whether`, "NaN", good("a", began), unknown)
		shops.set("a", errors.New("a is down"))
		shops.set("b", nil)
		time.Sleep(checkEvery)
		synctest.Wait()
		log.since()
		shops.drop("a") // such as when the sale is given another URL
		time.Sleep(watchEvery)
		f("no more", "level=INFO msg=\"what this gate depended on is not needed any more\" check=shop_notify subject=a",
			"1", good("b", c.list()[0].Since))
		shops.drop("b")
		time.Sleep(watchEvery)
		f("none", "", "NaN")
	})
}

// Nobody waits a minute for what has just been changed.
func TestWhatIsNewIsTriedSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shops := &tried{wrong: map[string]error{"a": nil}, times: map[string]int{}}
		c, _, _ := runChecks(t, check{"shop_notify", shops.subjects, shops.try})
		f := func(what string, a, b int) {
			t.Helper()
			time.Sleep(watchEvery)
			synctest.Wait()
			if shops.times["a"] != a || shops.times["b"] != b {
				t.Errorf("%s: tried %v, want %d and %d", what, shops.times, a, b)
			}
		}
		f("at first", 1, 0)
		shops.set("b", nil)
		f("a new URL", 1, 1)
		c.retry()
		f("new secrets", 2, 2)
		f("and no more", 2, 2)
	})
}

// One check that hangs, and as many hosts as may be tried at once, hold up no other
// check, and the end of the gate not at all.
func TestACheckThatHangsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hosts := make([]string, checksAtOnce+1)
		for i := range hosts {
			hosts[i] = fmt.Sprint("host", i)
		}
		hang := func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return fmt.Errorf("it hung: %w", ctx.Err())
		}
		good := func(context.Context, string) error { return nil }
		c, log, stop := runChecks(t, check{"shop_notify", func() []string { return hosts }, hang},
			check{"portone_v1", only("api"), good})
		if list := c.list(); list[len(hosts)].Name != "portone_v1" || !list[len(hosts)].OK {
			t.Errorf("the check that does not hang is %+v", list[len(hosts)])
		}
		if first := c.list()[0]; !first.Unknown || first.Problem != "it was not tried yet" || !first.TriedAt.IsZero() {
			t.Errorf("what hangs is %+v", first)
		}
		time.Sleep(2 * checkTimeout)
		synctest.Wait()
		for _, f := range c.list()[:len(hosts)] {
			if f.OK || f.Problem != "it hung: context deadline exceeded" {
				t.Errorf("what hung is %+v", f)
			}
		}
		time.Sleep(checkEvery) // they hang once more
		synctest.Wait()
		log.since()
		before := time.Now()
		stop()
		if took := time.Since(before); took > 0 {
			t.Errorf("it took %v to end", took)
		}
		if said := log.since(); said != "" {
			t.Errorf("what was given up is told as a fault:\n%s", said)
		}
	})
}
