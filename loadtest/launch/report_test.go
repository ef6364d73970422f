package launch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestPercentilesAreOfWhatWasMeasured(t *testing.T) {
	t.Parallel()
	took := make([]time.Duration, 10_000)
	for i := range took {
		took[len(took)-1-i] = time.Duration(i+1) * time.Millisecond
	}
	if got, want := latencyOf(took), (Latency{5000, 9000, 9900, 9990, 9999, 10_000, 5000.5}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got, want := latencyOf([]time.Duration{time.Second}), (Latency{1000, 1000, 1000, 1000, 1000, 1000, 1000})
	if got != want {
		t.Errorf("of one: %+v, want %+v", got, want)
	}
	if got := latencyOf(nil); got != (Latency{}) {
		t.Errorf("of none: %+v", got)
	}
}

// playedRun is a run of a second at 10/s, whose answers were late by what is given.
func playedRun(t *testing.T, late func(i int) time.Duration) *Run {
	t.Helper()
	p := newPlan(t, func(o *Options) { o.Demand, o.Duration, o.Rate, o.Shape = 0, time.Second, 10, "steady" })
	r := &Run{Plan: p, sent: 10, answers: make([]answer, 10), began: time.Unix(0, 0)}
	for i := range r.answers {
		a := &r.answers[i]
		a.due = p.Shape().Due(i)
		a.sent = a.due + late(i)
		a.done, a.code = a.sent+5*time.Millisecond, "sold_out"
		if i < 4 {
			a.code = "held"
		}
	}
	r.answers[9].code, r.answers[9].failure, r.answers[9].ours = "", "no port left", true
	return r
}

func TestLatencyCountsFromWhenARequestWasDue(t *testing.T) {
	t.Parallel()
	prompt := playedRun(t, func(int) time.Duration { return 0 }).Report(&Judged{})
	if prompt.Latency.Max != 5 || prompt.SendDelay.Max != 0 {
		t.Errorf("%+v, sent late by %+v", prompt.Latency, prompt.SendDelay)
	}
	slow := playedRun(t, func(int) time.Duration { return 300 * time.Millisecond }).Report(&Judged{})
	if slow.Latency.Max != 305 || slow.SendDelay.Max != 300 || slow.Achieved >= slow.Asked {
		t.Errorf("%+v, sent late by %+v, %v/s of %v/s", slow.Latency, slow.SendDelay, slow.Achieved, slow.Asked)
	}
	f := func(r *Report, want bool) {
		if text := strings.Join(r.Warnings, "\n"); strings.Contains(text, "The client was the limit") != want ||
			!strings.Contains(text, "1 requests failed on the client's own machine") {
			t.Errorf("the warnings are %q", r.Warnings)
		}
	}
	f(prompt, false)
	f(slow, true)
}

func TestWhoWasTheLimitIsToldAsItIs(t *testing.T) {
	t.Parallel()
	f := func(late, patience time.Duration, want string, targets ...string) {
		t.Helper()
		run := playedRun(t, func(int) time.Duration { return late })
		run.MaxDelay, run.Plan.opt.Targets = patience, targets
		warned := ""
		for _, w := range run.Report(&Judged{}).Warnings {
			if strings.Contains(w, "was the limit") {
				warned, _, _ = strings.Cut(w, ":")
			}
		}
		if warned != want {
			t.Errorf("sent %s late to %q, with a patience of %s, it says %q, want %q", late, targets,
				patience, warned, want)
		}
	}
	const client, machine = "The client was the limit, not the gate",
		"This machine, which client and gates share, was the limit"
	f(10*time.Millisecond, 0, "", "https://gate.example.com")
	f(30*time.Millisecond, 0, client, "https://gate.example.com")
	f(30*time.Millisecond, 0, client, "http://127.0.0.1:1", "http://10.0.0.7:1")
	f(30*time.Millisecond, 0, machine, "http://127.0.0.1:1", "http://localhost:2", "http://[::1]:3")
	f(200*time.Millisecond, 250*time.Millisecond, "", "http://127.0.0.1:1")
	f(300*time.Millisecond, 250*time.Millisecond, machine, "http://127.0.0.1:1")
}

func TestASkippedCheckIsNeitherPassedNorFailed(t *testing.T) {
	t.Parallel()
	f := func(pass bool, conclusion string, checks ...Check) {
		t.Helper()
		report := playedRun(t, func(int) time.Duration { return 0 }).Report(&Judged{Checks: checks})
		if report.Pass != pass || report.conclusion() != conclusion {
			t.Errorf("%+v: %v, %q; want %v, %q", checks, report.Pass, report.conclusion(), pass, conclusion)
		}
	}
	good, bad := Check{Name: "units", Result: Passed}, Check{Name: "holds"}
	unseen := skipped("sold out", "the ledger & all of <it> is gone")
	f(true, "PASS", good)
	f(true, "PASS (skipped: sold out)", good, unseen)
	f(true, "PASS (skipped: sold out, audit)", good, unseen, skipped("audit", "busy"))
	f(false, "FAIL", good, bad, unseen)
	f(false, "FAIL", unseen)
	f(false, "FAIL")

	report := playedRun(t, func(int) time.Duration { return 0 }).Report(&Judged{Checks: []Check{good, unseen}})
	if text := describe(report); !strings.Contains(text, "skipped  sold out  the ledger & all of <it> is gone\n") ||
		!strings.HasSuffix(text, "\nPASS (skipped: sold out)\n") {
		t.Errorf("as text:\n%s", text)
	}
	var text bytes.Buffer
	if err := report.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "& all of <it>") {
		t.Errorf("as JSON, to be copied: %s", &text)
	}
	var read struct {
		Skipped []string
		Checks  []struct{ Name, Result, Detail string }
	}
	if err := json.Unmarshal(text.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(read) != "{[sold out] [{units ok } {sold out skipped the ledger & all of <it> is gone}]}" {
		t.Errorf("as JSON: %+v", read)
	}
	var again Report
	if err := json.Unmarshal(text.Bytes(), &again); err != nil || again.Checks[1].Result != Skipped {
		t.Errorf("read again: %+v, %v", again.Checks, err)
	}
}

func TestTheReportBeginsWithTheOutcome(t *testing.T) {
	t.Parallel()
	found := &Judged{Sold: &Sold{Units: 500, Of: 500, Returned: 120, Again: 120}}
	run := playedRun(t, func(int) time.Duration { return 0 })
	run.Noun, run.Simulator = "tickets", &Simulator{}
	report := run.Report(found)
	const want = "500 of 500 sold, 0 oversold, 120 declined tickets sold again"
	if text := describe(report); !strings.HasPrefix(text, want+"\n\n") {
		t.Errorf("as text:\n%s", text)
	}
	var text bytes.Buffer
	if err := report.WriteJSON(&text); err != nil ||
		!strings.HasPrefix(text.String(), "{\n  \"headline\": \""+want+"\",\n") {
		t.Errorf("as JSON: %v\n%s", err, &text)
	}
	if report = run.Report(&Judged{}); report.Headline != "4 orders told 200; how many units were sold, only "+
		"--admin shows" {
		t.Errorf("without an admin API it begins with %q", report.Headline)
	}
}

func TestTheTimelineHasEachAnswer(t *testing.T) {
	t.Parallel()
	report := playedRun(t, func(int) time.Duration { return 0 }).Report(&Judged{})
	var accepted, refused, failed int
	for _, m := range report.Timeline {
		accepted, refused, failed = accepted+m.Accepted, refused+m.Refused, failed+m.Failed
	}
	if accepted != 4 || refused != 5 || failed != 1 {
		t.Errorf("%d accepted, %d refused, %d failed", accepted, refused, failed)
	}
}

func TestWhatIsSentLateIsShownWhenItWasSent(t *testing.T) {
	t.Parallel()
	run := playedRun(t, func(int) time.Duration { return 0 })
	last := &run.answers[run.sent-1]
	last.sent, last.done = last.sent+5*time.Second, last.done+5*time.Second
	moments, each := run.timeline()
	sent := map[int]int{}
	for i, m := range moments {
		if m.Sent > 0 {
			sent[i] = m.Sent
		}
	}
	if at := int(last.sent / each); sent[at] != 1 || at != len(moments)-1 {
		t.Errorf("of %d moments these have requests that were sent: %v", len(moments), sent)
	}
}

func TestTheJSONHasTheReport(t *testing.T) {
	t.Parallel()
	report := playedRun(t, func(int) time.Duration { return 0 }).Report(
		&Judged{Checks: []Check{{"answers", Passed, "none", nil}}})
	var text bytes.Buffer
	if err := report.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(text.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read["pass"] != true || read["requests"] != 10.0 || read["latency"].(map[string]any)["p99.99_ms"] != 5.0 ||
		read["codes"].(map[string]any)["held"] != 4.0 {
		t.Errorf("%s", text.Bytes())
	}
}
