package cli

import (
	"bytes"
	"context"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/pagetest"
	"github.com/flashgate/flashgate/gate/redistest"
)

// The page says of each flag what --help says. What --help hides are secrets, which no
// command line may have: the flags of their files name their variables.
func TestThePageHasEachFlagOfServe(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"flag", "default", "what it is"}}
	for _, f := range leaf(t, "serve").Flags {
		if f.Name == "help" || f.Hidden {
			continue
		}
		flag, value, help := "--"+f.Name, "", f.Help
		if f.PlaceHolder != "" {
			flag += " " + f.PlaceHolder
		}
		if f.HasDefault && f.Default != "" {
			value, help = "`"+f.Default+"`", strings.ReplaceAll(help, " ("+f.Default+")", "")
		}
		rows = append(rows, []string{"`" + flag + "`", value, help})
	}
	pagetest.Generated(t, "docs/configuration.md", "flags", rows)
}

// The page says of each command what --help says.
func TestThePageHasEachCommand(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"command", "what it does"}}
	for _, node := range newTestParser(t, &commands{}).Model.Leaves(true) {
		usage := node.Path()
		for _, argument := range node.Positional {
			usage += " " + argument.Summary()
		}
		rows = append(rows, []string{"`" + usage + "`", node.Help})
	}
	pagetest.Generated(t, "docs/operate.md", "commands", rows)
}

// The page says of each metric what /metrics says, also of those that a gate shows
// only with some setting, or once something has happened.
func TestThePageHasEachMetric(t *testing.T) {
	t.Parallel()
	described := regexp.MustCompile(
		`^Desc\{fqName: (".*"), help: (".*?"), (?:unit: ".*?", )?constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)
	rows := [][]string{}
	for _, d := range descriptions(t) {
		said := described.FindStringSubmatch(d)
		if said == nil {
			t.Fatalf("a description cannot be read: %s", d)
		}
		name, help := unquote(t, said[1]), unquote(t, said[2])
		if !strings.HasPrefix(name, "flashgate_") {
			continue // the Go runtime's and the process's, which others document
		}
		var labels []string
		for label := range strings.SplitSeq(said[3]+","+said[4], ",") {
			if label, _, _ = strings.Cut(label, "="); label != "" {
				labels = append(labels, "`"+label+"`")
			}
		}
		rows = append(rows, []string{"`" + name + "`", strings.Join(labels, ", "), help})
	}
	slices.SortFunc(rows, func(a,
		b []string,
	) int {
		return strings.Compare(strings.Trim(a[0], "`"), strings.Trim(b[0], "`"))
	})
	if len(rows) < 50 {
		t.Errorf("%d metrics", len(rows))
	}
	pagetest.Generated(t, "docs/metrics.md", "metrics",
		slices.Insert(rows, 0, []string{"metric", "labels", "what it is"}))
}

// leaf returns a command of the command line.
func leaf(t *testing.T, name string) *kong.Node {
	t.Helper()
	for _, node := range newTestParser(t, &commands{}).Model.Leaves(false) {
		if node.Name == name {
			return node
		}
	}
	t.Fatalf("there is no command %s", name)
	return nil
}

// descriptions returns what the registry of a gate with every part has registered.
func descriptions(t *testing.T) (all []string) {
	t.Helper()
	authority := redistest.NewAuthority(t)
	c, err := parse(t, strings.Join([]string{
		"serve --redis embedded --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --drain-wait 0s --allow-unsigned",
		"--forward-webhooks http://127.0.0.1:1 --admin-tls-cert", authority.Cert, "--admin-tls-key", authority.Key,
		"--portone-v1-key key --portone-v1-secret-file", secretFile(t),
	}, " "))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := newParts(&c.Serve, &environment{out: &bytes.Buffer{}, err: &bytes.Buffer{}})
	err = p.serve(ctx, make(chan os.Signal), func(net.Addr, net.Addr) {
		found := make(chan *prometheus.Desc)
		go func() { p.registry.Describe(found); close(found) }()
		for d := range found {
			all = append(all, d.String())
		}
		cancel()
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func secretFile(t *testing.T) string {
	t.Helper()
	path := t.TempDir() + "/secret"
	if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func unquote(t *testing.T, quoted string) string {
	t.Helper()
	text, err := strconv.Unquote(quoted)
	if err != nil {
		t.Fatalf("%s: %v", quoted, err)
	}
	return text
}

// The page has each setting of a sale, as a sale file names it.
func TestThePageHasEachSettingOfASale(t *testing.T) {
	t.Parallel()
	var got, want []string
	for _, row := range pagetest.Rows(t, "docs/configuration.md", "sale settings") {
		got = append(got, pagetest.Quoted(row[0])...)
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[gate.SaleForm]()) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			want = append(want, name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the page has\n%q, and a sale has\n%q", got, want)
	}
}
