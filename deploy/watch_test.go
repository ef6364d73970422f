package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

const notifySecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// target is a place that Prometheus scrapes.
type target struct{ addr, scheme string }

// watcher is a Prometheus that runs with the files that operators copy.
type watcher struct {
	t   *testing.T
	url string
}

// watch starts a Prometheus that watches the deployment, and more gates if any. The
// authority has signed their certificates.
func (d *deployment) watch(authority *redistest.Authority, more ...target) *watcher {
	d.t.Helper()
	program, dir, own := redistest.Require(d.t, "prometheus"), copyPrometheus(d.t, adminToken), address(d.t)
	config := strings.NewReplacer(
		"interval: 5s", "interval: 1s", "scrape_timeout: 4s", "scrape_timeout: 1s",
		"{credentials_file: gate-token}", "{credentials_file: gate-token}\n    tls_config: {ca_file: "+authority.CA+"}",
	).Replace(readFile(d.t, filepath.Join(dir, "prometheus.yml")))
	write(d.t, filepath.Join(dir, "prometheus.yml"), config)
	for _, g := range d.gates {
		more = append(more, target{g.admin, "http"})
	}
	var gates strings.Builder
	for _, at := range more {
		fmt.Fprintf(&gates, "- {targets: [%q], labels: {__scheme__: %s}}\n", at.addr, at.scheme)
	}
	write(d.t, filepath.Join(dir, "targets", "gates.yml"), gates.String())
	write(d.t, filepath.Join(dir, "targets", "haproxy.yml"), fmt.Sprintf("- {targets: [%q]}\n", d.stats))
	write(d.t, filepath.Join(dir, "targets", "prometheus.yml"), fmt.Sprintf("- {targets: [%q]}\n", own))

	redistest.StartProgram(d.t, exec.Command(program, "--config.file", filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path", d.t.TempDir(), "--web.listen-address", own, "--log.level", "warn"))
	w := &watcher{d.t, "http://" + own}
	await(d.t, "Prometheus to scrape everything", func() error {
		up, err := w.ask(`up == 1`)
		if err == nil && len(up) != len(more)+2 {
			err = fmt.Errorf("only %v are up", up)
		}
		return err
	})
	return w
}

// ask returns the samples that an expression has now, by their labels. What is no
// number is none.
func (w *watcher) ask(expr string) (map[string]float64, error) {
	var answer struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
	}
	if err := w.get("/api/v1/query", url.Values{"query": {expr}}, &answer); err != nil {
		return nil, err
	}
	samples := map[string]float64{}
	for _, sample := range answer.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(sample.Value[1]), 64)
		if err == nil && !math.IsNaN(value) {
			samples[fmt.Sprint(sample.Metric)] = value
		}
	}
	return samples, nil
}

func (w *watcher) get(path string, query url.Values, into any) error {
	answer, err := http.PostForm(w.url+path, query)
	if query == nil {
		answer, err = http.Get(w.url + path)
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var said struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return err
	}
	if said.Status != "success" {
		return errors.New(said.Error)
	}
	return json.Unmarshal(said.Data, into)
}

// shows waits until an expression has data.
func (w *watcher) shows(what, expr string) {
	w.t.Helper()
	await(w.t, what+" to show data: "+expr, func() error {
		samples, err := w.ask(expr)
		if err == nil && len(samples) == 0 {
			err = errors.New("it has none")
		}
		return err
	})
}

// Whatever a dashboard or an alert asks for, a launch has it: with everything on,
// after units were sold, paid for and refused.
func TestPrometheusHasWhatDashboardsAndAlertsAskFor(t *testing.T) {
	t.Parallel()
	portone := address(t)
	told := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(told.Close)
	d := deploy(t, "--first-look", "2s", "FLASHGATE_NOTIFY_SECRET="+notifySecret,
		"--portone-v1-url", "http://"+portone, "--portone-v1-key", "sim-key",
		"FLASHGATE_PORTONE_V1_SECRET=sim-secret-for-tests-only")
	redistest.StartProgram(t, exec.Command(d.loadtest, "portone-sim", "--listen", portone))
	authority := redistest.NewAuthority(t)
	w := d.watch(authority, target{d.secureGate(authority), "https"})
	d.apply(`{name: race, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, hold: 1h, ` +
		`notify: "` + told.URL + `", healthy: "` + told.URL + `", ask: "` + told.URL +
		`", skus: [{name: unit, stock: 300}]}`)
	w.shows("every gate", `count(flashgate_sale_open{sale="race"} == 1) == 3`)
	w.shows("every gate's shop", `count(flashgate_shop_up{sale="race"} == 1) == 3`)
	d.pay(portone, "race")
	report := d.rehearse("race", "--shape", "steady", "--rate", "60", "--duration", "15s")()
	if !report.Pass || report.Codes["sold_out"] == 0 {
		t.Fatalf("%v answers, %+v", report.Codes, report.Checks)
	}

	w.shows("all that was held",
		fmt.Sprintf(`sum(flashgate_confirms_total{sale="race", outcome="held"}) == %d`, report.Codes["held"]+1))
	for _, q := range queries(t) {
		w.shows(q.panel, strings.NewReplacer("$sale", "race", "$__rate_interval", "1m").Replace(q.Expr))
	}
	names := regexp.MustCompile(`[a-z_:]*flashgate_[a-z0-9_:]+`)
	for _, r := range rules(t) {
		for _, name := range names.FindAllString(r.Expr, -1) {
			w.shows(r.Alert+r.Record, name)
		}
	}
	w.rulesAreHealthy()
	if ringing, err := w.ask(`ALERTS{alertstate="firing"}`); err != nil || len(ringing) > 0 {
		t.Errorf("at a launch that goes well there ring %v, %v", ringing, err)
	}
}

// secureGate starts a gate that speaks TLS with Redis and with operators, and has
// no secret to tell its sale's shop with. It returns its admin listener's address.
func (d *deployment) secureGate(a *redistest.Authority) string {
	d.t.Helper()
	listen, admin, url := address(d.t), address(d.t), redistest.StartTLS(d.t, a, "--appendonly", "yes").URL()
	environ := append(d.secrets(), "FLASHGATE_REDIS="+url)
	tls := []string{"--redis-ca", a.CA, "--redis-cert", a.Cert, "--redis-key", a.Key}
	sale := filepath.Join(d.dir, "secure.yaml")
	write(d.t, sale,
		`sales: [{name: secure, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, hold: 1h, `+
			`notify: "https://shop.example.com/", skus: [{name: unit, stock: 1}]}]`)
	d.commandIn(environ, append([]string{"apply", "--open-now", "-f", sale}, tls...)...)
	cmd := exec.Command(d.program, append([]string{
		"serve", "--listen", listen, "--admin-listen", admin, "--admin-tls-cert", a.ServerCert,
		"--admin-tls-key", a.ServerKey,
	}, tls...)...)
	cmd.Env = append(os.Environ(), environ...)
	redistest.StartProgram(d.t, cmd)
	await(d.t, "the gate to be ready", func() error { return ready(http.DefaultClient, listen) })
	return admin
}

// pay has a buyer of the simulated PortOne pay for an order, with a webhook.
func (d *deployment) pay(portone, sale string) {
	d.t.Helper()
	gate := "http://" + d.gates[0].listen
	link := d.command("sign", "--base-url", gate, "--sale", sale, "--items", "unit",
		"--order", "order-paid", "--amount", "1000")
	body, err := json.Marshal(map[string]any{
		"id": "order-paid", "amount": 1000, "confirmUrl": strings.TrimSpace(link), "noticeUrl": gate + "/webhook",
	})
	if err != nil {
		d.t.Fatal(err)
	}
	client := http.Client{Timeout: patience}
	answer, err := client.Post("http://"+portone+"/sim/pay", "application/json", bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		d.t.Errorf("the payment is answered %d", answer.StatusCode)
	}
}

func (w *watcher) rulesAreHealthy() {
	w.t.Helper()
	var read struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	if err := w.get("/api/v1/rules", nil, &read); err != nil {
		w.t.Fatal(err)
	}
	seen := 0
	for _, group := range read.Groups {
		for _, r := range group.Rules {
			seen++
			if r.Health != "ok" {
				w.t.Errorf("rule %s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if want := len(rules(w.t)); seen != want {
		w.t.Errorf("Prometheus has %d rules of %d", seen, want)
	}
}
