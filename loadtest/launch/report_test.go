package launch

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
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
	if got, want := latencyOf([]time.Duration{time.Second}), (Latency{1000, 1000, 1000, 1000, 1000, 1000, 1000}); got != want {
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
	prompt := playedRun(t, func(int) time.Duration { return 0 }).Report(nil, nil, nil)
	if prompt.Latency.Max != 5 || prompt.SendDelay.Max != 0 {
		t.Errorf("%+v, sent late by %+v", prompt.Latency, prompt.SendDelay)
	}
	slow := playedRun(t, func(int) time.Duration { return 300 * time.Millisecond }).Report(nil, nil, nil)
	if slow.Latency.Max != 305 || slow.SendDelay.Max != 300 || slow.Achieved >= slow.Asked {
		t.Errorf("%+v, sent late by %+v, %v/s of %v/s", slow.Latency, slow.SendDelay, slow.Achieved, slow.Asked)
	}
	f := func(r *Report, want bool) {
		if text := strings.Join(r.Warnings, "\n"); strings.Contains(text, "The client was the limit") != want || !strings.Contains(text, "1 requests failed on the client's own machine") {
			t.Errorf("the warnings are %q", r.Warnings)
		}
	}
	f(prompt, false)
	f(slow, true)
}

func TestTheTimelineTellsHowStockFell(t *testing.T) {
	t.Parallel()
	before := &SaleView{SKUs: []UnitsView{{SKU: "a", Left: 3}, {SKU: "b", Left: 2}}}
	report := playedRun(t, func(int) time.Duration { return 0 }).Report(before, nil, nil)
	var accepted, refused, failed int
	for _, m := range report.Timeline {
		accepted, refused, failed = accepted+m.Accepted, refused+m.Refused, failed+m.Failed
	}
	first, last := report.Timeline[0], report.Timeline[len(report.Timeline)-1]
	if accepted != 4 || refused != 5 || failed != 1 || *first.Left != 4 || *last.Left != 1 {
		t.Errorf("%d accepted, %d refused, %d failed, %d to %d left", accepted, refused, failed, *first.Left, *last.Left)
	}
}

func TestThePageLoadsNothingAndEscapesWhatTheGateSays(t *testing.T) {
	t.Parallel()
	before := &SaleView{SKUs: []UnitsView{{SKU: "a", Left: 5}}}
	report := playedRun(t, func(int) time.Duration { return 0 }).Report(before, before, []Check{
		{"answers", false, "1 of 10", []string{"<script>alert(1)</script>"}},
	})
	var page bytes.Buffer
	if err := report.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(?i)src=|href=|url\(|@import|<script|<link|<iframe`).FindString(page.String()); found != "" {
		t.Errorf("the page has %q", found)
	}
	for _, want := range []string{`<span class="FAIL">FAIL</span>`, "p99.99", "Latency", "Answers", "Units left", "no port left", "&lt;script&gt;"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	// Each chart is well-formed, and draws lines with a point for each moment.
	charts := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page.String(), -1)
	if len(charts) != 4 {
		t.Errorf("there are %d charts", len(charts))
	}
	for _, chart := range charts {
		decoder, longest := xml.NewDecoder(strings.NewReader(chart)), 0
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, chart)
			}
			element, ok := token.(xml.StartElement)
			if !ok || element.Name.Local != "path" {
				continue
			}
			for _, attribute := range element.Attr {
				if attribute.Name.Local == "d" {
					longest = max(longest, strings.Count(attribute.Value, "L")+1)
				}
			}
		}
		if longest != len(report.Timeline) {
			t.Errorf("a line of %d points for %d moments", longest, len(report.Timeline))
		}
	}
}

func TestWhatIsSentLateIsShownWhenItWasSent(t *testing.T) {
	t.Parallel()
	run := playedRun(t, func(int) time.Duration { return 0 })
	last := &run.answers[run.sent-1]
	last.sent, last.done = last.sent+5*time.Second, last.done+5*time.Second
	moments, each := run.timeline(nil)
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
	report := playedRun(t, func(int) time.Duration { return 0 }).Report(nil, nil, []Check{{"answers", true, "none", nil}})
	var text bytes.Buffer
	if err := report.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(text.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read["pass"] != true || read["requests"] != 10.0 || read["latency"].(map[string]any)["p99.99_ms"] != 5.0 || read["codes"].(map[string]any)["held"] != 4.0 {
		t.Errorf("%s", text.Bytes())
	}
}
