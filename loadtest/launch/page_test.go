package launch

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pageOf writes the page of a run of a second with what was found in it.
func pageOf(t *testing.T, found *Judged) (*Report, string) {
	t.Helper()
	report := playedRun(t, func(int) time.Duration { return 0 }).Report(found)
	var page bytes.Buffer
	if err := report.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	return report, page.String()
}

func TestThePageLoadsNothingAndEscapesWhatTheGateSays(t *testing.T) {
	t.Parallel()
	_, page := pageOf(t, &Judged{
		After:  &SaleView{SKUs: []UnitsView{{SKU: "a<b", Left: 5}}},
		Stock:  &Stock{all: []level{{0, 5}, {time.Second, 1}}},
		Checks: []Check{{"answers", Failed, "1 of 10", []string{"<script>alert(1)</script>"}}},
	})
	if found := regexp.MustCompile(`(?i)src=|href=|url\(|@import|<link|<iframe`).FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
	if strings.Count(page, "<script") != 1 || strings.Contains(page, "<script>alert") {
		t.Error("the page has another script than its own")
	}
	for _, want := range []string{
		`<b class="FAIL">FAIL</b>`, "p99.99", "Latency", "Answers", "Units left",
		"no port left", "&lt;script&gt;", "a&lt;b",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}

// Each chart is well-formed, and draws lines with a point for each moment, within
// its frame.
func TestThePagesChartsHaveEachMoment(t *testing.T) {
	t.Parallel()
	report, page := pageOf(t, &Judged{After: &SaleView{}, Stock: &Stock{all: []level{{0, 5}, {time.Second / 2, -3}}}})
	charts := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1)
	if len(charts) != 4 {
		t.Fatalf("there are %d charts", len(charts))
	}
	for i, chart := range charts {
		lines := polylines(t, chart)
		for _, points := range lines {
			if i == 0 { // two levels, and what leads from one to the other
				if got := strings.Join(points, " "); got != "0.0,100.0 454.5,100.0 454.5,900.0 1000.0,900.0" {
					t.Errorf("5 units and then -3 are drawn as %s", got)
				}
				continue
			}
			if len(points) != len(report.Timeline) {
				t.Errorf("a line of %d points for %d moments", len(points), len(report.Timeline))
			}
		}
		if len(lines) == 0 {
			t.Errorf("there is no line in %s", chart)
		}
	}
}

// polylines returns the points of a chart's lines.
func polylines(t *testing.T, chart string) (lines [][]string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(chart))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatalf("%v in %s", err, chart)
		}
		element, ok := token.(xml.StartElement)
		if !ok || element.Name.Local != "polyline" {
			continue
		}
		for _, attribute := range element.Attr {
			if attribute.Name.Local == "points" {
				lines = append(lines, strings.Fields(attribute.Value))
			}
		}
		for _, at := range strings.FieldsFunc(strings.Join(lines[len(lines)-1], " "),
			func(r rune) bool { return r == ' ' || r == ',' }) {
			if v, err := strconv.ParseFloat(at, 64); err != nil || v < 0 || v > chartSide {
				t.Errorf("%s, %v: outside of the chart", at, err)
			}
		}
	}
}

// Scripts turn times into the reader's zone. Without them UTC is named.
func TestThePageTellsTimesWithTheirZone(t *testing.T) {
	t.Parallel()
	_, page := pageOf(t, &Judged{})
	if want := `<time datetime="1970-01-01T00:00:00Z">1970-01-01 00:00:00 UTC</time>`; !strings.Contains(page, want) {
		t.Errorf("the page does not have %s", want)
	}
	for _, want := range []string{
		`document.querySelectorAll("time")`, "toLocaleString",
		`name="viewport" content="width=device-width`, "prefers-color-scheme: dark",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
}

func TestThePageBeginsWithTheOutcomeAndSaysWhatWasSkipped(t *testing.T) {
	t.Parallel()
	_, page := pageOf(t, &Judged{
		After: &SaleView{}, Sold: &Sold{
			Units: 512, Of: 500,
			Oversold: 12,
		}, Stock: &Stock{Missing: "the ledger is gone"},
		Checks: []Check{{Name: "units"}, skipped("sold out", "nobody was told so")},
	})
	for _, want := range []string{
		`<h1><b class="FAIL">FAIL</b> 512 of 500 sold, 12 oversold</h1>`,
		`<td class="skipped">skipped</td><td>sold out</td><td>nobody was told so</td>`,
		"Not drawn: the ledger is gone.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	if strings.Contains(page, "left in Redis") || strings.Count(page, "<svg") != 3 {
		t.Error("the page draws units that nobody knows of")
	}
	f := func(want bool, checks ...Check) {
		t.Helper()
		_, page := pageOf(t, &Judged{Checks: checks})
		if strings.Contains(page, "PASS says nothing of what was skipped: sold out.") != want {
			t.Errorf("after %+v the page says what PASS leaves out: %v", checks, !want)
		}
	}
	f(true, Check{Name: "units", Result: Passed}, skipped("sold out", "nobody was told so"))
	f(false, Check{Name: "units", Result: Passed})
}
