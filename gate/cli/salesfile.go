package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
)

const (
	maxSalesFile = 4 << 20  // bytes
	maxYAMLBody  = 16 << 10 // bytes: a gate has no time for what YAML's lexer may make of more
	maxSales     = 1000     // in one file
	defaultHold  = 5 * time.Minute
)

// noSales is also the example to copy.
const noSales = `there are none in this file; it looks like
sales:
  - name: seoul-marathon
    opens_at: 2026-12-01T10:00:00+09:00
    closes_at: 2026-12-01T18:00:00+09:00
    skus:
      - {name: full, stock: 15000}`

// readSales reads the sale file at path, or standard input where path is "-".
func readSales(path string) ([]gate.Sale, error) {
	name := path
	if path == "-" {
		name = "standard input"
	}
	in, err := cmdline.OpenInput(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the sale file: %w", err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxSalesFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the sale file: %w", err)
	}
	return parseSales(name, text)
}

// parseSales reads the text of a sale file, which its errors call name. What is
// wrong with the file is reported at once and in line order; only a file that
// is no YAML ends at its first error.
func parseSales(name string, text []byte) ([]gate.Sale, error) {
	if len(text) > maxSalesFile {
		return nil, fmt.Errorf("%s: a sale file has at most %d bytes", name, maxSalesFile)
	}
	root, err := parseText(name, plain(text), maxSalesFile)
	if err != nil {
		return nil, err
	}
	r := reader{file: name}
	sales := r.sales(root)
	if err := r.err(); err != nil {
		return nil, err
	}
	return sales, nil
}

// plain returns a text as editors on other systems would have saved it: without a
// byte order mark, and with a line feed alone at the end of each line. YAML's
// parser would take the mark for a part of a name, and leave carriage returns in
// what stands on several lines.
func plain(text []byte) []byte {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
}

// parseSale reads one sale in the form that a sale file lists, as YAML or JSON.
func parseSale(text []byte) (gate.Sale, error) {
	root, err := parseText("body", plain(text), maxYAMLBody)
	if err != nil {
		return gate.Sale{}, err
	}
	if _, ok := root.(*ast.MappingNode); !ok {
		return gate.Sale{}, errors.New("body: must be one sale, in the form of a sale file's entry")
	}
	r := reader{file: "body"}
	sale := r.sale(value{node: root, line: 1}, make(lines))
	return sale, r.err()
}

func (r *reader) sales(root ast.Node) (sales []gate.Sale) {
	if _, ok := root.(*ast.MappingNode); !ok {
		r.fault(value{line: 1, path: "sales"}, noSales)
		return nil
	}
	at := value{line: 1, path: "sales"}
	names := make(lines)
	r.mapping(value{node: root}, []field{{"sales", optional, func(v value) {
		at = v
		for _, item := range r.list(v, 0, maxSales) {
			sales = append(sales, r.sale(item, names))
		}
	}}})
	if len(sales) == 0 && len(r.faults) == 0 {
		r.fault(at, noSales)
	}
	return sales
}

func (r *reader) sale(v value, names lines) gate.Sale {
	before := len(r.faults)
	s := gate.Sale{Run: 1, Settings: gate.Settings{Hold: defaultHold}}
	var closesAt value
	r.mapping(v, []field{
		{"name", required, func(v value) { s.Name = r.name(v, names) }},
		{"run", optional, func(v value) { s.Run = r.integer(v, 1, gate.MaxRun) }},
		{"opens_at", required, func(v value) { s.OpensAt = r.time(v) }},
		{"closes_at", required, func(v value) { s.ClosesAt, closesAt = r.time(v), v }},
		{"hold", optional, func(v value) { s.Hold = r.duration(v, gate.MinHold, gate.MaxHold) }},
		{"per_buyer", optional, func(v value) { s.PerBuyer = r.integer(v, 0, gate.MaxUnits) }},
		{"accept", optional, func(v value) { s.Accept = r.versions(v) }},
		{"amount_optional", optional, func(v value) { s.AmountOptional = r.boolean(v) }},
		{"auto_refund", optional, func(v value) { s.AutoRefund = r.boolean(v) }},
		{"refund_brake", optional, func(v value) { s.Unbraked = r.choice(v, "on", "off") == "off" }},
		{"restock", optional, func(v value) { s.Withhold = r.choice(v, "return", "withhold") == "withhold" }},
		{"virtual_accounts", optional, func(v value) { s.RefuseDeposits = r.choice(v, "hold", "refuse") == "refuse" }},
		{
			"deposit_limit", optional,
			func(v value) { s.DepositLimit = r.duration(v, gate.MinDepositLimit, gate.MaxDepositLimit) },
		},
		{"reconcile_for", optional, func(v value) { s.ReconcileFor = r.reconcileFor(v) }},
		{"release_unproven", optional, func(v value) { s.ReleaseUnproven = r.boolean(v) }},
		{"notify", optional, func(v value) { s.Notify = r.url(v, gate.CheckURL) }},
		{"healthy", optional, func(v value) { s.Healthy = r.url(v, gate.CheckLastWordURL) }},
		{"ask", optional, func(v value) { s.Ask = r.url(v, gate.CheckLastWordURL) }},
		{"show_stock", optional, func(v value) { s.ShowStock = r.boolean(v) }},
		{"messages", optional, func(v value) { s.Messages = r.messages(v) }},
		{"skus", required, func(v value) { s.SKUs = r.skus(v) }},
	})
	if !s.OpensAt.IsZero() && !s.ClosesAt.IsZero() && !s.ClosesAt.After(s.OpensAt) {
		r.fault(closesAt, "must be after opens_at")
	}
	if len(r.faults) == before {
		if err := s.Validate(); err != nil {
			r.fault(v, "%v", err)
		}
	}
	return s
}

func (r *reader) skus(v value) (skus []gate.SKU) {
	names := make(lines)
	for _, item := range r.list(v, 1, gate.MaxSKUs) {
		var k gate.SKU
		r.mapping(item, []field{
			{"name", required, func(v value) { k.Name = r.name(v, names) }},
			{"stock", required, func(v value) { k.Stock = r.integer(v, 0, gate.MaxUnits) }},
			{"price", optional, func(v value) { k.Price = new(r.integer(v, 0, gate.MaxAmount)) }},
		})
		skus = append(skus, k)
	}
	return skus
}

func (r *reader) versions(v value) []string {
	var versions []string
	for _, item := range r.list(v, 1, len(gate.VersionNames())) {
		name, ok := r.text(item, "v1 or v2")
		switch {
		case !ok:
		case !slices.Contains(gate.VersionNames(), name):
			r.fault(item, "must be v1 or v2, not %.60q", name)
		case slices.Contains(versions, name):
			r.fault(item, "%s is listed already", name)
		}
		versions = append(versions, name)
	}
	return versions
}

func (r *reader) messages(v value) map[string]string {
	messages := make(map[string]string)
	var fields []field
	for _, name := range gate.MessageNames() {
		fields = append(fields, field{name, optional, func(v value) {
			if text, ok := r.text(v, "a sentence in quotes"); ok {
				messages[name] = text
				if strange := gate.Unprintable(text); strange != "" {
					r.fault(v, "has %s, where only printable characters may be", strange)
				} else if !gate.ValidMessage(text) {
					r.fault(v, "must be 1 to %d bytes of printable text", gate.MaxMessage)
				}
			}
		}})
	}
	r.mapping(v, fields)
	return messages
}

// choice reads one of two words.
func (r *reader) choice(v value, usual, other string) string {
	want := usual + " or " + other
	text, ok := r.text(v, want)
	if ok && text != usual && text != other {
		r.wrong(v, want)
	}
	return text
}

func (r *reader) url(v value, check func(string) error) string {
	text, ok := r.text(v, "a URL in quotes")
	if ok {
		if err := check(text); err != nil {
			r.fault(v, "%v", err)
		}
	}
	return text
}

func (r *reader) duration(v value, least, most time.Duration) time.Duration {
	const want = "a duration such as 5m or 90s"
	text, ok := r.text(v, want)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		r.wrong(v, want)
	case d%time.Millisecond != 0:
		r.fault(v, "%s is not in whole milliseconds", text)
	case d < least || d > most:
		r.fault(v, "must be between %s and %s, not %s", least, most, text)
	}
	return d
}

// reconcileFor reads how long after its end a sale is compared with PortOne.
func (r *reader) reconcileFor(v value) time.Duration {
	if n, ok := v.node.(*ast.StringNode); ok && n.Value == gate.ReconcileNever {
		return gate.NeverReconcile
	}
	return r.duration(v, gate.MinReconcileFor, gate.MaxReconcileFor)
}

func (r *reader) time(v value) time.Time {
	const want = "a time such as 2026-12-01T10:00:00+09:00"
	text, ok := r.text(v, want)
	if !ok {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	_, local := time.Parse("2006-01-02T15:04:05", text)
	switch {
	case local == nil:
		r.fault(v, "%s has no UTC offset; write +09:00 for Korea", text)
	case err != nil:
		r.wrong(v, want)
	case t.Nanosecond()%int(time.Millisecond) != 0:
		r.fault(v, "%s is not in whole milliseconds", text)
	case t.UnixMilli() > gate.MaxTime:
		r.fault(v, "must be before the year 2200, not %s", text)
	}
	return t
}

func (r *reader) name(v value, seen lines) string {
	name, ok := r.text(v, "a name in quotes")
	if !ok {
		return ""
	}
	if !gate.ValidName(name) {
		r.fault(v, "must be 1 to %d of A-Z a-z 0-9 _ . -, not %.60q", gate.MaxName, name)
	} else if line, again := seen[name]; again {
		r.fault(v, "%s is taken by line %d", name, line)
	} else {
		seen[name] = v.line
	}
	return name
}
