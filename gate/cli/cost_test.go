package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// much is far more than any of the texts below takes. That the parser was not let at
// them shows in their errors too.
const much = 20 * time.Second

// withinReason reads a text and wants its error, soon.
func withinReason(t *testing.T, read func([]byte) error, text, want string) {
	t.Helper()
	told := make(chan error, 1)
	began := time.Now()
	go func() { told <- read([]byte(text)) }()
	select {
	case err := <-told:
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		t.Logf("%d bytes took %v", len(text), time.Since(began))
	case <-time.After(much):
		t.Errorf("%d bytes are still being read after %v", len(text), much)
	}
}

// stairs is a text of levels within one another, each begun as given.
func stairs(size int, begin string) string {
	var text strings.Builder
	for depth := 0; text.Len() < size; depth++ {
		text.WriteString(strings.Repeat(" ", depth) + begin + "\n")
	}
	return text.String()
}

// No text takes a time that grows with the square of its length: neither YAML's
// parser nor its lexer is let at one that would.
func TestNoSaleFileTakesLong(t *testing.T) {
	t.Parallel()
	const size = 128 << 10
	many := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	for name, row := range map[string]struct{ text, want string }{
		"entries":                  {many("a: 1\n"), "more than 64 entries"},
		"entries behind a list":    {"b:\n- 1\n" + many("a: 1\n"), "more than 64 entries"},
		"entries of a list's item": {"- " + many("a: 1\n  "), "more than 64 entries"},
		"entries with a list each": {many("a:\n- 1\n"), "more than 64 entries"},
		"entries of anchors":       {many("&b a: 1\n"), "more than 64 entries"},
		"entries in brackets":      {"{" + many("a: 1, ") + "}", "more than 64 entries"},
		"entries of a list":        {"[" + many("a: 1, ") + "]", "more than 64 entries"},
		"entries of JSON":          {"{" + many(`"a":1,`) + `"a":1}`, "more than 64 entries"},
		"keys in many lines":       {many("? a\n"), "more than 64 entries"},
		"keys in one line":         {many("? "), "nested too deep"},
		"mappings in one line":     {many("a: "), "nested too deep"},
		"lists in one line":        {many("- "), "nested too deep"},
		"lists in lists":           {stairs(size, "-"), "nested too deep"},
		"mappings in mappings":     {stairs(size, strings.Repeat("a", 1000)+":"), "nested too deep"},
		"brackets":                 {many("["), "nested too deep"},
		"brackets of JSON": {
			`{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}",
			"nested too deep",
		},
		"aliases of aliases":        {"a: &a [x, x]\n" + many("b: &a [*a, *a, *a, *a]\n"), "more than 64 entries"},
		"documents":                 {many("---\n"), "one YAML document"},
		"documents in a text":       {"a: |+\n" + many("\t---\n---\n"), "one YAML document"},
		"ends of documents":         {many("...\n"), "one YAML document"},
		"empty lines behind a text": {"a: |\n b" + many("\n"), "are empty"},
		"lines of spaces":           {"a: |\n b\n" + many(" \n"), "are empty"},
		"carriage returns":          {"a: >\n " + many("\r"), "are empty"},
		"less and less":             {"a" + many("<<"), "so many <"},
		"one large item": {
			"sales: [{name: a, messages: {closed: \"" + many("x") + "\"}}]",
			"1 to 500 bytes",
		},
		"items":    {"sales:\n" + many("- a\n"), "must list 0 to 1000"},
		"comments": {many("# a\n"), "there are none in this file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withinReason(t, func(text []byte) error { _, err := parseSales("sales.yaml", text); return err },
				row.text, row.want)
		})
	}
}

// A gate that sells has little time for what an operator sends.
func TestABodyThatIsNoJSONIsShort(t *testing.T) {
	t.Parallel()
	read := func(text []byte) error { _, err := parseSale(text); return err }
	withinReason(t, read, strings.Repeat("#", maxYAMLBody+1), "of more than 16384 bytes it must be valid JSON")
	withinReason(t, read, "{"+strings.Repeat(`"a":1,`, 50_000), "of more than 16384 bytes it must be valid JSON")
	withinReason(t, read, `{"name":"`+strings.Repeat("x", 256<<10)+`"}`, "name: must be 1 to 64")
}

// largest is a sale of as many fields as one may have, each as long as it may be.
func largest(name string) gate.Sale {
	opens := time.Date(2026, 12, 1, 10, 0, 0, 0, time.FixedZone("", 9*60*60))
	sale := gate.Sale{Name: name, Run: 1, Settings: gate.Settings{
		OpensAt: opens, ClosesAt: opens.Add(time.Hour), Hold: 5 * time.Minute, PerBuyer: gate.MaxUnits,
		Accept: gate.VersionNames(),
		Notify: "https://shop.example.com/" + strings.Repeat("a", gate.MaxMessage-25), Messages: map[string]string{},
	}}
	for _, code := range gate.MessageNames() {
		sale.Messages[code] = strings.Repeat("매", gate.MaxMessage/len("매"))
	}
	for i := range gate.MaxSKUs {
		sale.SKUs = append(sale.SKUs, gate.SKU{
			Name: fmt.Sprintf("%0*d", gate.MaxName, i), Stock: gate.MaxUnits,
			Price: new(int64(gate.MaxAmount)),
		})
	}
	return sale
}

func TestTheLargestSaleIsTakenByTheAPI(t *testing.T) {
	t.Parallel()
	p := startGate(t)
	want := largest("large")
	text, err := json.MarshalIndent(want.Form(), "", "    ")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	status, answer := p.ask(t, "", "PUT", "/v1/sales/large", string(text))
	if status != http.StatusOK {
		t.Fatalf("%d bytes: %d %.500s", len(text), status, answer)
	}
	t.Logf("%d bytes took %v", len(text), time.Since(began))
}

// A file of as many sales as there may be is read, and is no case of the above.
func TestALargeFileOfOrdinarySalesIsTaken(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	text.WriteString("sales:\n")
	for i := range maxSales {
		fmt.Fprintf(&text, "  - name: sale-%d\n    opens_at: 2026-12-01T10:00:00+09:00\n    closes_at: "+
			"2026-12-01T18:00:00+09:00\n"+
			"    hold: 5m\n    per_buyer: 2\n    messages:\n      sold_out: \"매진되었습니다.\"\n    skus:\n", i)
		for k := range 25 {
			fmt.Fprintf(&text, "      - {name: seat-%d, stock: 100, price: 80000}\n", k)
		}
	}
	if text.Len() > maxSalesFile || text.Len() < maxSalesFile/4 {
		t.Fatalf("the file has %d bytes", text.Len())
	}
	began := time.Now()
	sales, err := parseSales("sales.yaml", text.Bytes())
	if err != nil || len(sales) != maxSales {
		t.Fatalf("%d sales, %v", len(sales), err)
	}
	t.Logf("%d bytes took %v", text.Len(), time.Since(began))
}
