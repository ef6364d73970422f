package launch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run came to. Its JSON is part of what is promised to users.
type Report struct {
	Headline  string    `json:"headline"` // the outcome in a sentence
	Pass      bool      `json:"pass"`
	Skipped   []string  `json:"skipped"` // checks that Pass says nothing of
	Audited   bool      `json:"audited"` // the admin API was asked; otherwise it goes by the answers alone
	Targets   []string  `json:"targets"`
	Sale      string    `json:"sale"`
	Shape     string    `json:"shape"`
	Seed      uint64    `json:"seed"`
	Prefix    string    `json:"prefix"` // of the orders' ids
	Signed    bool      `json:"signed"`
	New       bool      `json:"new_connections"`
	Shared    bool      `json:"shared_machine"` // with the gates: each target is this machine
	Began     time.Time `json:"began"`
	Seconds   float64   `json:"seconds"` // until the last answer
	CutShort  bool      `json:"cut_short"`
	Orders    int       `json:"orders"`
	Requests  int       `json:"requests"` // sent
	Asked     float64   `json:"asked_rate"`
	Achieved  float64   `json:"achieved_rate"`
	AskedTop  float64   `json:"asked_peak"` // requests a second in the busiest slice
	SentTop   float64   `json:"achieved_peak"`
	SendDelay Latency   `json:"send_delay"` // from when a request was due until it was sent
	Latency   Latency   `json:"latency"`

	Codes    map[string]int `json:"codes"`
	Failures map[string]int `json:"failures"`
	Shop     *ShopSaid      `json:"shop,omitempty"`
	Units    []UnitsView    `json:"units,omitempty"` // after the run
	Sold     *Sold          `json:"sold,omitempty"`
	Warnings []string       `json:"warnings"`
	Checks   []Check        `json:"checks"`
	Each     float64        `json:"moment_s"` // length of a moment
	Timeline []Moment       `json:"timeline"`
	Left     []Level        `json:"units_left,omitempty"` // as Redis had them, by the sale's ledger
	NoLeft   string         `json:"no_units,omitempty"`   // why there are none
}

// Report sums the run up.
func (r *Run) Report(found *Judged) *Report {
	opt := &r.Plan.opt
	report := &Report{
		Audited: found.After != nil, Targets: opt.Targets, Sale: opt.Sale, Shape: opt.Shape, Seed: opt.Seed,
		Prefix: opt.Prefix,
		Signed: r.Plan.keys != nil, New: r.NewConnections, Shared: shared(opt.Targets), Began: r.began,
		CutShort: r.sent < r.Plan.Requests(),
		Orders:   len(r.stories()), Requests: r.sent, Sold: found.Sold, Shop: found.Shop,
		Codes: map[string]int{}, Failures: map[string]int{}, Warnings: []string{}, Checks: found.Checks,
	}
	report.conclude()
	report.Headline = r.headline(found.Sold)
	if found.After != nil {
		report.Units = found.After.SKUs
	}
	report.Left, report.NoLeft = found.Stock.Levels(), "without --admin nobody knows what was left"
	if found.Stock != nil {
		report.NoLeft = found.Stock.Missing
	}
	var took, delays []time.Duration
	var lastDue, lastSent, end time.Duration
	for number := range r.sent {
		a := &r.answers[number]
		delays = append(delays, a.sent-a.due)
		lastDue, lastSent, end = max(lastDue, a.due), max(lastSent, a.sent), max(end, a.done)
		if a.failure != "" {
			report.Failures[a.failure]++
			continue
		}
		report.Codes[a.code]++
		took = append(took, a.latency())
	}
	report.Latency, report.SendDelay, report.Seconds = latencyOf(took), latencyOf(delays), end.Seconds()
	report.Asked, report.Achieved = rate(r.sent, lastDue), rate(r.sent, lastSent)
	var each time.Duration
	report.Timeline, each = r.timeline()
	report.Each = each.Seconds()
	for _, m := range report.Timeline {
		report.AskedTop = max(report.AskedTop, float64(m.Due)/each.Seconds())
		report.SentTop = max(report.SentTop, float64(m.Sent)/each.Seconds())
	}
	report.warn(r)
	return report
}

// conclude sums the checks up. Nothing passes that was not looked at.
func (report *Report) conclude() {
	passed, failed := 0, 0
	report.Skipped = []string{}
	for _, c := range report.Checks {
		switch c.Result {
		case Passed:
			passed++
		case Skipped:
			report.Skipped = append(report.Skipped, c.Name)
		default:
			failed++
		}
	}
	report.Pass = passed > 0 && failed == 0
}

func (r *Run) headline(sold *Sold) string {
	if sold != nil {
		return sold.say(cmp.Or(r.Noun, "units"), r.Simulator != nil)
	}
	orders := 0
	for _, s := range r.stories() {
		if s.accepted > 0 {
			orders++
		}
	}
	return fmt.Sprintf("%s orders told 200; how many units were sold, only --admin shows", grouped(int64(orders)))
}

// shared reports whether each target is an address of this machine.
func shared(targets []string) bool {
	return !slices.ContainsFunc(targets, func(target string) bool {
		u, err := url.Parse(target)
		if err != nil {
			return true
		}
		at, err := netip.ParseAddr(u.Hostname())
		return u.Hostname() != "localhost" && (err != nil || !at.IsLoopback())
	})
}

func rate(requests int, last time.Duration) float64 {
	return float64(requests) / max(last.Seconds(), 0.001)
}

// maxDelay is Run.MaxDelay where it is not given.
const maxDelay = 20 * time.Millisecond

func (report *Report) warn(r *Run) {
	warn := func(format string, values ...any) {
		report.Warnings = append(report.Warnings, fmt.Sprintf(format, values...))
	}
	if late := report.SendDelay.P99; late > ms(cmp.Or(r.MaxDelay, maxDelay)) {
		who, instead := "The client was the limit, not the gate", "use a bigger machine for the client, or a lower rate"
		if report.Shared {
			who, instead = "This machine, which client and gates share, was the limit",
				"use a lower rate, or send from another machine"
		}
		warn("%s: one request in a hundred was sent %.0f ms late or more. Latencies include that; %s.", who,
			late, instead)
	}
	ours := 0
	for number := range r.sent {
		if r.answers[number].ours {
			ours++
		}
	}
	if ours > 0 {
		warn("%d requests failed on the client's own machine: see the failures.", ours)
	}
	if report.CutShort {
		warn("The run was cut short: %d of %d requests were sent.", report.Requests, r.Plan.Requests())
	}
	if !report.Audited {
		warn("Only the answers were checked: with --admin the holds behind them are too.")
	}
}

// WriteJSON writes the report as JSON.
func (report *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

// WriteText writes the report for a terminal, the verdict last.
func (report *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", report.Headline)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "orders\t%d, in %d requests over %.1f s\n", report.Orders, report.Requests, report.Seconds)
	fmt.Fprintf(t, "rate\tasked %.0f/s, achieved %.0f/s; at the peak asked %.0f/s, achieved %.0f/s\n", report.Asked,
		report.Achieved, report.AskedTop, report.SentTop)
	l := report.Latency
	fmt.Fprintf(t, "latency, ms\tp50 %.1f, p90 %.1f, p99 %.1f, p99.9 %.1f, p99.99 %.1f, max %.1f\n", l.P50, l.P90,
		l.P99, l.P999, l.P4, l.Max)
	fmt.Fprintf(t, "answers\t%s\n", counts(report.Codes))
	if len(report.Failures) > 0 {
		fmt.Fprintf(t, "no answer\t%s\n", counts(report.Failures))
	}
	if s := report.Shop; s != nil {
		resent := ""
		if s.Resent > 0 {
			resent = fmt.Sprintf(", %d of them once more on another connection", s.Resent)
		}
		fmt.Fprintf(t, "the shop\tasked %d times about %d orders%s: %s\n", s.Asks, s.Orders, resent,
			cmp.Or(counts(s.Words), "nothing"))
	}
	for _, u := range report.Units {
		fmt.Fprintf(t, "%s\t%d left, %d held, %d paid of %d\n", u.SKU, u.Left, u.Held, u.Paid, u.Total)
	}
	fmt.Fprintln(t)
	for _, c := range report.Checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Result, c.Name, c.Detail)
		for _, example := range c.Examples {
			fmt.Fprintf(t, "\t\t  %s\n", example)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, warning := range report.Warnings {
		fmt.Fprintf(w, "\n%s\n", warning)
	}
	_, err := fmt.Fprintf(w, "\n%s\n", report.conclusion())
	return err
}

// conclusion is the verdict, and what a PASS does not speak of.
func (report *Report) conclusion() string {
	if !report.Pass || len(report.Skipped) == 0 {
		return report.Verdict()
	}
	return fmt.Sprintf("%s (skipped: %s)", report.Verdict(), strings.Join(report.Skipped, ", "))
}

// Verdict returns PASS or FAIL.
func (report *Report) Verdict() string {
	if report.Pass {
		return "PASS"
	}
	return "FAIL"
}
