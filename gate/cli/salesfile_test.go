package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func TestReadSales(t *testing.T) {
	t.Parallel()
	sales, err := readSales("testdata/sales/marathon.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []gate.Sale{
		{Name: "seoul-marathon", Run: 2, Settings: gate.Settings{
			OpensAt:  time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC),
			ClosesAt: time.Date(2026, 12, 1, 9, 0, 0, 250e6, time.UTC),
			Hold:     90 * time.Second,
			PerBuyer: 2,
			Messages: map[string]string{"sold_out": "참가 신청이 마감되었습니다."},
			SKUs: []gate.SKU{
				{Name: "full", Stock: 15000, Price: new(int64(80000))},
				{Name: "10k", Stock: 0, Price: new(int64(0))},
			},
		}},
		{Name: "concert", Run: 1, Settings: gate.Settings{
			OpensAt:  time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC),
			ClosesAt: time.Date(2026, 12, 25, 0, 0, 0, 0, time.UTC),
			Hold:     5 * time.Minute,
			Messages: map[string]string{"closed": "판매가 끝났습니다."},
			SKUs:     []gate.SKU{{Name: "seat", Stock: 1_000_000_000}},
		}},
	}
	if len(sales) != len(want) {
		t.Fatalf("got %d sales, want %d", len(sales), len(want))
	}
	for i, s := range sales {
		if s.Name != want[i].Name || s.Run != want[i].Run || !s.Equal(want[i].Settings) {
			t.Errorf("got  %+v\nwant %+v", s, want[i])
		}
	}
}

func TestReadSalesOfNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.yaml")
	_, err := readSales(path)
	want := "cannot open the sale file: open " + path + ": no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// good is a sale without its SKUs, and the start of most of the files below.
const good = `sales:
  - name: a
    opens_at: 2026-12-01T10:00:00+09:00
    closes_at: 2026-12-01T18:00:00+09:00
`

const goodSKUs = "    skus: [{name: x, stock: 1}]\n"

func TestParseSalesAccepts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a byte order mark": "\ufeff" + good + goodSKUs,
		"Windows line ends": strings.ReplaceAll(good+goodSKUs, "\n", "\r\n"),
		"a document start":  "---\n" + good + goodSKUs,
		"JSON":              `{"sales": [{"name": "a", "opens_at": "2026-12-01T10:00:00Z", "closes_at": "2026-12-01T11:00:00Z", "skus": [{"name": "x", "stock": 1}]}]}`,
		"what comes after a 200": good + "    auto_refund: true\n    refund_brake: off\n    restock: withhold\n   " +
			" virtual_accounts: refuse\n    deposit_limit: 720h\n    reconcile_for: off\n    release_unproven: " +
			"true\n    notify: https://shop.example.com/changes\n" + goodSKUs,
		"the shop's last word": good +
			"    healthy: https://shop.example.com/up\n    ask: http://127.0.0.1:3000/ask\n" + goodSKUs,
		"counts that are shown":    good + "    show_stock: true\n" + goodSKUs,
		"amounts that may lack":    good + "    amount_optional: true\n" + goodSKUs,
		"both versions":            good + "    accept: [v1, v2]\n" + goodSKUs,
		"no limit spelled out":     good + "    per_buyer: 0\n" + goodSKUs,
		"the shortest hold":        good + "    hold: 1s\n" + goodSKUs,
		"the longest hold":         good + "    hold: 24h\n" + goodSKUs,
		"a message for every code": good + "    messages:" + everyMessage() + "\n" + goodSKUs,
		"the largest stock, price": good + "    skus: [{name: x, stock: 1000000000, price: 1000000000000}]\n",
		"one name in two sales": good + goodSKUs + strings.TrimPrefix(strings.Replace(good, "name: a", "name: b",
			1), "sales:\n") + goodSKUs,
		"as many SKUs as there may": good + "    skus:\n" + manySKUs(gate.MaxSKUs),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parseSales("sales.yaml", []byte(text)); err != nil {
				t.Error(err)
			}
		})
	}
}

func everyMessage() string {
	var text strings.Builder
	for _, c := range gate.Refusals() {
		fmt.Fprintf(&text, "\n      %s: why %s", c, c)
	}
	return text.String()
}

func manySKUs(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "      - {name: s%d, stock: 1}\n", i)
	}
	return text.String()
}

var update = flag.Bool("update", false, "rewrite testdata/sales/refused.txt from what is said of its files")

// refusedFiles has sale files that are refused, and below each what is said of it:
//
//	== what is wrong with the file
//	the file
//	= what is said
//
// With -update what is said is written anew.
const refusedFiles = "testdata/sales/refused.txt"

func TestParseSalesRefuses(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(refusedFiles)
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(text), "\n== ")
	if len(cases) < 2 {
		t.Fatalf("%s has no cases", refusedFiles)
	}
	for i, want := range cases[1:] {
		title, rest, _ := strings.Cut(want, "\n")
		file, _, _ := strings.Cut(rest, "\n= ")
		file += "\n"
		t.Run(title, func(t *testing.T) {
			got := title + "\n" + file + "= " + strings.ReplaceAll(whyRefused(t, file), "\n", "\n= ") + "\n"
			if !*update && got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			cases[i+1] = got
		})
	}
	if *update {
		if err := os.WriteFile(refusedFiles, []byte(strings.Join(cases, "\n== ")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// whyRefused returns what is said of a sale file. No sale is made of it.
func whyRefused(t *testing.T, text string) string {
	t.Helper()
	sales, err := parseSales("sales.yaml", []byte(text))
	if err == nil {
		t.Fatal("the file is accepted")
	}
	if sales != nil {
		t.Errorf("sales of a refused file: %v", sales)
	}
	return err.Error()
}

// These are too long to write out, or are not lines of text.
func TestParseSalesRefusesWhatIsHardlyAFile(t *testing.T) {
	t.Parallel()
	const deep = "2: lists and mappings are nested too deep"
	for _, test := range []struct{ name, text, want string }{
		{"an empty file", "", "1: sales: " + noSales},
		{"no mapping at the top", "sales", "1: sales: " + noSales},
		{
			"another encoding", good + "    messages: {closed: \"\xb8\xb6\xb0\xa8\"}\n" + goodSKUs,
			"5: this is not UTF-8; save the file in that encoding",
		},
		{"too many bytes", strings.Repeat("#", 4<<20+1), " a sale file has at most 4194304 bytes"},
		{"brackets in brackets", "sales:\n  " + strings.Repeat("[", 1<<20), deep},
		{"dashes after dashes", "sales:\n  " + strings.Repeat("- ", 1<<20), deep},
		{
			"too many SKUs", good + "    skus:\n" + manySKUs(gate.MaxSKUs+1),
			"5: sales[0].skus: must list 1 to 1000, not 1001",
		},
		{
			"too many sales", "sales:\n" + strings.Repeat("  - name: a\n", 1001),
			"1: sales: must list 0 to 1000, not 1001",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, want := whyRefused(t, test.text), "sales.yaml:"+test.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestParseSalesTellsTwentyFaults(t *testing.T) {
	t.Parallel()
	text := good + "    skus:\n" + strings.ReplaceAll(manySKUs(25), "stock: 1", "stock: -1")
	_, err := parseSales("sales.yaml", []byte(text))
	if err == nil {
		t.Fatal("accepted")
	}
	told := strings.Split(err.Error(), "\n")
	if len(told) != 21 || told[20] != "and 5 more" {
		t.Errorf("%d lines, the last is %q", len(told), told[len(told)-1])
	}
}

// FuzzParseSales: no text makes it panic; what it accepts is valid and differs
// in nothing from itself.
func FuzzParseSales(f *testing.F) {
	file, err := os.ReadFile("testdata/sales/marathon.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	for _, text := range []string{
		good + goodSKUs, "", "sales: []", "sales:\n- &a {}\n- *a\n- <<: *a\n", "? a\n: b\n",
		"sales: [{name: 010, run: !!int \"1\"}]",
		good + "    hold: 1.5h\n    per_buyer: 3\n    messages: {sold_out: 'x'}\n" + goodSKUs,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		sales, err := parseSales("sales.yaml", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "sales.yaml:") {
				t.Errorf("the error does not begin with the file: %v", err)
			}
			return
		}
		if len(sales) == 0 {
			t.Error("accepted without sales")
		}
		for _, s := range sales {
			if err := s.Validate(); err != nil {
				t.Error(err)
			}
			if got := changes(s, s); len(got) > 0 {
				t.Errorf("differs from itself: %q", got)
			}
		}
	})
}

// A file is read alike in apply and in PUT, whatever system it was saved on.
func TestASaleIsReadAlikeWhereverItWasSaved(t *testing.T) {
	t.Parallel()
	const entry = "name: a\nopens_at: 2026-12-01T10:00:00+09:00\ncloses_at: 2026-12-01T18:00:00+09:00\n" +
		"messages:\n  closed: 'It is over.\n    Thank you.'\nskus: [{name: x, stock: 1}]\n"
	listed := "sales:\n- " + strings.ReplaceAll(strings.TrimSuffix(entry, "\n"), "\n", "\n  ") + "\n"
	f := func(why string, save func(string) string, refused string) {
		t.Helper()
		one, err := parseSale([]byte(save(entry)))
		all, errAll := parseSales("sales.yaml", []byte(save(listed)))
		switch {
		case refused != "":
			if err == nil || errAll == nil || !strings.Contains(err.Error(), refused) ||
				!strings.Contains(errAll.Error(), refused) {
				t.Errorf("%s: %v and %v, want %s", why, err, errAll, refused)
			}
		case err != nil || errAll != nil:
			t.Errorf("%s: %v and %v", why, err, errAll)
		case !one.Equal(all[0].Settings) || one.Messages["closed"] != "It is over. Thank you.":
			t.Errorf("%s: %+v and %+v", why, one, all)
		}
	}
	f("as it is", func(s string) string { return s }, "")
	f("CRLF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }, "")
	f("CR", func(s string) string { return strings.ReplaceAll(s, "\n", "\r") }, "")
	f("a byte order mark", func(s string) string { return "\ufeff" + s }, "")
	f("a directive", func(s string) string { return "%YAML 1.2\n---\n" + s }, "")
	f("all of it", func(s string) string {
		return "\ufeff" + strings.ReplaceAll("%YAML 1.2\n---\n"+s+"...\n", "\n", "\r\n")
	}, "")
	f("two documents", func(s string) string { return "%YAML 1.2\n---\n" + s + "---\n" + s },
		"one YAML document; remove its --- and ... lines")
	f("another directive", func(s string) string { return "%TAG ! x\n---\n" + s },
		":1: the only directive that is read is %YAML 1.2")
	f("a character", func(s string) string { return strings.Replace(s, "It is over", "It is\u00a0over", 1) },
		"messages.closed: has U+00A0 at column 6, where only printable characters may be")
}
