package deploy_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// rule is one of recording.yml or alerts.yml.
type rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string
}

// rules returns the rules of both files.
func rules(t *testing.T) (all []rule) {
	t.Helper()
	for _, file := range []string{"recording.yml", "alerts.yml"} {
		var read struct{ Groups []struct{ Rules []rule } }
		readYAML(t, filepath.Join("prometheus", file), &read)
		for _, group := range read.Groups {
			all = append(all, group.Rules...)
		}
	}
	return all
}

// alerts returns the rules that are alerts.
func alerts(t *testing.T) (all []rule) {
	t.Helper()
	for _, r := range rules(t) {
		if r.Alert != "" {
			all = append(all, r)
		}
	}
	if len(all) < 10 {
		t.Fatalf("there are only %d alerts", len(all))
	}
	return all
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readFile(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// copyPrometheus copies the folder that operators copy to where a test may change
// it, with a token, and returns the copy's path.
func copyPrometheus(t *testing.T, token string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("prometheus")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "gate-token"), token)
	return dir
}

func TestPromtoolTakesTheConfigurationAndTheRulesPassTheirTests(t *testing.T) {
	t.Parallel()
	promtool, dir := redistest.Require(t, "promtool"), copyPrometheus(t, "token")
	tests, err := filepath.Glob(filepath.Join(dir, "tests", "*.yml"))
	if err != nil || len(tests) == 0 {
		t.Fatalf("tests of the rules: %q, %v", tests, err)
	}
	for _, args := range [][]string{
		{"check", "config", "--lint-fatal", filepath.Join(dir, "prometheus.yml")},
		{"check", "rules", "--lint-fatal", filepath.Join(dir, "recording.yml"), filepath.Join(dir, "alerts.yml")},
		append([]string{"test", "rules"}, tests...),
	} {
		if said, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args[:2], " "), err, said)
		}
	}
}

// A refusal is a fault, or about the link, or meant: a new code must be one of them.
func TestEveryRefusalIsAFaultOrAboutTheLinkOrMeant(t *testing.T) {
	t.Parallel()
	var alerted []string
	outcomes := regexp.MustCompile(`outcome=~"([a-z_|]+)"`)
	for _, a := range alerts(t) {
		if a.Alert == "FlashgateRefusesForFaults" || a.Alert == "FlashgateRefusesLinks" {
			for _, found := range outcomes.FindAllStringSubmatch(a.Expr, -1) {
				alerted = append(alerted, strings.Split(found[1], "|")...)
			}
		}
	}
	got := append(alerted, "held", "sold_out", "not_open", "closed", "paused", "buyer_limit", "order_changed",
		"already_paid", "attempt_ended", "attempt_limit", "shop_refused")
	var want []string
	for _, code := range gate.Codes() {
		want = append(want, code.String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the alerts and this test speak of\n%q, the codes are\n%q", got, want)
	}
}

// Whoever reads a cause in the log finds here what to do.
func TestTheRunbookSaysWhatToDoAboutEachCause(t *testing.T) {
	t.Parallel()
	code := ""
	var got, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| (?:`(\\w+)` )?\\| `(\\w+)` \\| .{10,} \\|$").FindAllStringSubmatch(
		readFile(t, "RUNBOOK.md"), -1) {
		if row[1] != "" {
			code = row[1]
		}
		got = append(got, code+" "+row[2])
	}
	for _, cause := range gate.Causes() {
		want = append(want, cause.Code().String()+" "+cause.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the runbook has\n%q, the causes are\n%q", got, want)
	}
}

// Whoever reads the name of a check in an alert finds here what to do.
func TestTheRunbookSaysWhatToDoAboutEachCheck(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(readFile(t, "RUNBOOK.md"), "## FlashgateCheckFails\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var got []string
	for _, row := range regexp.MustCompile("(?m)^\\| ((?:`\\w+`(?:, )?)+) \\| .{20,} \\|$").FindAllStringSubmatch(
		section, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			got = append(got, strings.Trim(name, "`"))
		}
	}
	if !slices.Equal(got, gate.Checks()) {
		t.Errorf("the runbook has\n%q, the checks are\n%q", got, gate.Checks())
	}
}

// A number goes through a format that prints it as people write it: humanize would
// make 17.23m of 0.01723, and none at all 1e+06 of a million.
func TestNoAlertPrintsANumberAsItComes(t *testing.T) {
	t.Parallel()
	actions := regexp.MustCompile(`{{[^}]*\$value[^}]*}}`)
	good := regexp.MustCompile(
		`^{{ (printf "%\.\df" \$value|\$value \| humanize(Duration|Percentage)|if [lg]t \$value [0-9.e]+) }}$`)
	for _, a := range alerts(t) {
		for name, text := range a.Annotations {
			for _, action := range actions.FindAllString(text, -1) {
				if !good.MatchString(action) {
					t.Errorf("%s: %s of %s", name, action, a.Alert)
				}
			}
		}
	}
}

// The runbook's link is one that can be clicked, in whatever shows it, and is of
// the project that go.mod names.
func TestEveryAlertLinksItsHeadingInTheRunbook(t *testing.T) {
	t.Parallel()
	module := regexp.MustCompile(`(?m)^module (.+)$`).FindStringSubmatch(readFile(t, "../go.mod"))
	if module == nil {
		t.Fatal("go.mod names no module")
	}
	host, project, _ := strings.Cut(module[1], "/")
	headings := map[string]bool{}
	for _, heading := range runbook(t) {
		headings[strings.ToLower(heading)] = true
	}
	for _, a := range alerts(t) {
		link, err := url.Parse(a.Annotations["runbook_url"])
		if err != nil || link.Scheme != "https" || link.Host != host ||
			link.Path != "/"+project+"/blob/main/deploy/RUNBOOK.md" {
			t.Errorf("%s leads to %q, %v", a.Alert, a.Annotations["runbook_url"], err)
			continue
		}
		if want := strings.ToLower(a.Alert); link.Fragment != want || !headings[want] {
			t.Errorf("%s leads to the heading %q, and the runbook has its own: %t", a.Alert, link.Fragment,
				headings[want])
		}
	}
}

// runbook returns its headings, of which each is an alert's.
func runbook(t *testing.T) (headings []string) {
	t.Helper()
	for _, heading := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(readFile(t, "RUNBOOK.md"), -1) {
		headings = append(headings, heading[1])
	}
	return headings
}

// An alert that nobody can act on, or that was never seen to ring, is worse than none.
func TestEveryAlertSaysWhatToDoAndIsSeenToRingAndNotToRing(t *testing.T) {
	t.Parallel()
	rings, quiet := map[string]bool{}, map[string]bool{}
	tests, err := filepath.Glob(filepath.Join("prometheus", "tests", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range tests {
		var read struct {
			Tests []struct {
				Cases []struct {
					Alert string `yaml:"alertname"`
					Want  []any  `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		readYAML(t, file, &read)
		for _, test := range read.Tests {
			for _, c := range test.Cases {
				rings[c.Alert] = rings[c.Alert] || len(c.Want) > 0
				quiet[c.Alert] = quiet[c.Alert] || len(c.Want) == 0
			}
		}
	}

	for _, a := range alerts(t) {
		name := a.Alert
		if !rings[name] || !quiet[name] {
			t.Errorf("%s is not tested: seen to ring %t, seen to be quiet %t", name, rings[name], quiet[name])
		}
		if s := a.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", name, s)
		}
		if a.For == "" || a.Annotations["summary"] == "" || len(a.Annotations["description"]) < 80 {
			t.Errorf("%s must say for how long, what, and what to do: %q, %q", name, a.For, a.Annotations)
		}
	}
	for _, heading := range runbook(t) {
		if !slices.ContainsFunc(alerts(t), func(a rule) bool { return a.Alert == heading }) {
			t.Errorf("the runbook's %s is no alert", heading)
		}
	}
}
