package deploy_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// board is what a test reads of a dashboard.
type board struct {
	UID, Title string
	Templating struct {
		List []struct{ Name, Query string }
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               struct{ UID string }
	Targets                  []query
}

type query struct {
	Expr  string
	panel string // whose it is
}

// boards returns the dashboards that operators copy, by their file's name.
func boards(t *testing.T) map[string]board {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("grafana", "dashboards", "*.json"))
	if err != nil || len(files) < 2 {
		t.Fatalf("dashboards %q, %v", files, err)
	}
	all := map[string]board{}
	for _, file := range files {
		var d board
		if err := json.Unmarshal([]byte(readFile(t, file)), &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = d
	}
	return all
}

// queries returns every query of every dashboard, those of their variables too.
func queries(t *testing.T) (all []query) {
	t.Helper()
	for file, d := range boards(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				all = append(all, query{q.Expr, file + ": " + p.Title})
			}
		}
		for _, v := range d.Templating.List {
			if labels, ok := strings.CutPrefix(v.Query, "label_values("); ok {
				metric, _, _ := strings.Cut(labels, ",")
				all = append(all, query{metric, file + ": variable " + v.Name})
			}
		}
	}
	if len(all) < 40 {
		t.Fatalf("there are only %d queries", len(all))
	}
	return all
}

// Grafana drops what it does not know, in silence. Its own types do not.
func TestGrafanasTypesKnowAllThatIsInADashboard(t *testing.T) {
	t.Parallel()
	plugins.RegisterDefaultPlugins()
	for file := range boards(t) {
		//lint:ignore SA1019 every Grafana reads this form from files, only the newest the one that follows it
		var d dashboard.Dashboard
		err := d.UnmarshalJSONStrict([]byte(readFile(t, filepath.Join("grafana", "dashboards", file))))
		if err != nil && err.Error() != "" { // without a fault it is a list of none
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestWhatTheRunbookLooksAtIsOnADashboard(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, d := range boards(t) {
		shown[d.Title] = true
		for _, p := range d.Panels {
			shown[p.Title] = true
		}
	}
	looked := regexp.MustCompile(`[^*]\*([^*]+)\*[^*]`).FindAllStringSubmatch(readFile(t, "RUNBOOK.md"), -1)
	if len(looked) < 10 {
		t.Errorf("the runbook looks at %q only", looked)
	}
	for _, at := range looked {
		if !shown[at[1]] {
			t.Errorf("the runbook looks at %q, which no dashboard has", at[1])
		}
	}
}

// Grafana makes $__rate_interval of it: with a larger one lines would have holes.
func TestGrafanaKnowsHowOftenPrometheusScrapes(t *testing.T) {
	t.Parallel()
	var prometheus struct {
		Global struct {
			Every string `yaml:"scrape_interval"`
		}
	}
	var grafana struct {
		Datasources []struct {
			Type     string
			JSONData struct {
				Every string `yaml:"timeInterval"`
			} `yaml:"jsonData"`
		}
	}
	readYAML(t, "prometheus/prometheus.yml", &prometheus)
	readYAML(t, "grafana/provisioning/datasources/prometheus.yml", &grafana)
	if d := grafana.Datasources; len(d) != 1 || d[0].Type != "prometheus" ||
		d[0].JSONData.Every != prometheus.Global.Every {
		t.Errorf("the data sources are %+v, Prometheus scrapes every %s", d, prometheus.Global.Every)
	}
}

func TestDashboardsAreWhole(t *testing.T) {
	t.Parallel()
	uids := map[string]string{}
	for file, d := range boards(t) {
		if d.UID == "" || uids[d.UID] != "" {
			t.Errorf("%s has the uid %q, like %q", file, d.UID, uids[d.UID])
		}
		uids[d.UID] = file
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" {
				t.Errorf("%s: panel %d %q needs an id of its own and a title", file, p.ID, p.Title)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: %q lies upon %q, or beyond the edge", file, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			if p.Description == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
				t.Errorf("%s: %q needs a description, a query, and the data source that was chosen", file, p.Title)
			}
		}
	}
}
