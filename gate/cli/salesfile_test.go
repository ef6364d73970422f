package cli

import (
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

func TestParseSalesRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       []string // lines of the error, without the file's name
	}{
		{"an empty file", "", []string{"1: sales: " + noSales}},
		{"only comments", "# sales\n", []string{"1: sales: " + noSales}},
		{"a list", "- name: a\n", []string{"1: sales: " + noSales}},
		{"no sales", "\nsales: []\n", []string{"2: sales: " + noSales}},
		{"nothing in sales", "\n\nsales:\n", []string{"3: sales: " + noSales}},
		{"no mapping at the top", "sales", []string{"1: sales: " + noSales}},
		{"sales that are no list", "sales: {name: a}\n", []string{"1: sales: must be a list, not a mapping"}},
		{"sale that is no mapping", "sales:\n  - a\n", []string{`2: sales[0]: must be a mapping, not "a"`}},

		{"broken YAML", good + "    hold: [5m\n", []string{"5: this is no YAML: sequence end token ']' not found"}},
		{
			"a tab", "sales:\n\t- name: a\n",
			[]string{"2: this is no YAML: found character '\t' that cannot start any token"},
		},
		{
			"two documents", good + goodSKUs + "---\n" + good + goodSKUs,
			[]string{" a sale file is one YAML document; remove its --- and ... lines"},
		},
		{
			"another encoding", good + "    messages: {closed: \"\xb8\xb6\xb0\xa8\"}\n" + goodSKUs,
			[]string{"5: this is not UTF-8; save the file in that encoding"},
		},
		{"too many bytes", strings.Repeat("#", 4<<20+1), []string{" a sale file has at most 4194304 bytes"}},
		{
			"brackets in brackets", "sales:\n  " + strings.Repeat("[", 1<<20),
			[]string{"2: lists and mappings are nested too deep"},
		},
		{
			"dashes after dashes", "sales:\n  " + strings.Repeat("- ", 1<<20),
			[]string{"2: lists and mappings are nested too deep"},
		},
		{
			"aliases, also by the billion",
			"sales:\n  - &a [lol]\n  - &b [*a, *a, *a]\n  - [*b, *b, *b]\n  - *b\n",
			[]string{
				"2: sales[0]: anchors (&), aliases (*) and tags (!) are not read; write the value itself",
				"3: sales[1]: anchors (&), aliases (*) and tags (!) are not read; write the value itself",
				"4: sales[2]: must be a mapping, not a list",
				"5: sales[3]: anchors (&), aliases (*) and tags (!) are not read; write the value itself",
			},
		},
		{
			"a merge", good + goodSKUs + "    <<: *a\n",
			[]string{
				`6: sales[0]."<<": unknown field; the fields here are name, run, opens_at, closes_at, hold, per_buyer, accept, amount_optional, auto_refund, refund_brake, restock, virtual_accounts, deposit_limit, reconcile_for, release_unproven, notify, healthy, ask, messages, skus`,
			},
		},
		{
			"a tag", good + "    run: !!int 2\n" + goodSKUs,
			[]string{"5: sales[0].run: anchors (&), aliases (*) and tags (!) are not read; write the value itself"},
		},

		{"a field mistyped at the top", "sale: []\n", []string{"1: sale: unknown field; did you mean sales?"}},
		{
			"a field mistyped", good + "    per_buyr: 2\n" + goodSKUs,
			[]string{"5: sales[0].per_buyr: unknown field; did you mean per_buyer?"},
		},
		{
			"a field in capitals", good + "    HOLD: 5m\n" + goodSKUs,
			[]string{"5: sales[0].HOLD: unknown field; did you mean hold?"},
		},
		{
			"a field of nothing alike", good + "    skus: [{name: x, stock: 1, colour: red}]\n",
			[]string{"5: sales[0].skus[0].colour: unknown field; the fields here are name, stock, price"},
		},
		{
			"a field that is no name", good + goodSKUs + "    \"a\\e[31m b\": 1\n",
			[]string{
				`6: sales[0]."a\x1b[31m b": unknown field; the fields here are name, run, opens_at, closes_at, hold, per_buyer, accept, amount_optional, auto_refund, refund_brake, restock, virtual_accounts, deposit_limit, reconcile_for, release_unproven, notify, healthy, ask, messages, skus`,
			},
		},
		{
			"a field twice", good + "    run: 1\n" + goodSKUs + "    run: 2\n",
			[]string{"7: sales[0].run: already set on line 5"},
		},
		{
			"everything missing", "sales:\n  - run: 1\n",
			[]string{
				"2: sales[0].name: missing, and needed",
				"2: sales[0].opens_at: missing, and needed",
				"2: sales[0].closes_at: missing, and needed",
				"2: sales[0].skus: missing, and needed",
			},
		},
		{
			"an empty SKU", good + "    skus:\n      - {name: x, stock: 1}\n      - {}\n",
			[]string{"7: sales[0].skus[1].name: missing, and needed", "7: sales[0].skus[1].stock: missing, and needed"},
		},

		{
			"a name with spaces", strings.Replace(good, "name: a", "name: a b", 1) + goodSKUs,
			[]string{`2: sales[0].name: must be 1 to 64 of A-Z a-z 0-9 _ . -, not "a b"`},
		},
		{
			"a name that is a number", strings.Replace(good, "name: a", "name: 2026", 1) + goodSKUs,
			[]string{`2: sales[0].name: must be a name in quotes, not "2026"`},
		},
		{
			"a name without value", strings.Replace(good, "name: a", "name:", 1) + goodSKUs,
			[]string{"2: sales[0].name: has no value; it must be a name in quotes"},
		},
		{
			"two sales of one name", good + goodSKUs + "\n" + strings.TrimPrefix(good, "sales:\n") + goodSKUs,
			[]string{"7: sales[1].name: a is taken by line 2"},
		},
		{
			"two SKUs of one name", good + "    skus:\n      - {name: x, stock: 1}\n      - {name: x, stock: 2}\n",
			[]string{"7: sales[0].skus[1].name: x is taken by line 6"},
		},

		{
			"run 0", good + "    run: 0\n" + goodSKUs,
			[]string{"5: sales[0].run: must be between 1 and 1000000000, not 0"},
		},
		{
			"a shop that is asked in the clear",
			good + "    ask: http://shop.example.com/ask\n    healthy: http://10.0.0.5/up\n" + goodSKUs,
			[]string{
				"5: sales[0].ask: must be an https URL, or http on this machine (localhost, 127.0.0.1, [::1])",
				"6: sales[0].healthy: must be an https URL, or http on this machine (localhost, 127.0.0.1, [::1])",
			},
		},
		{
			"a restock that is none", good + "    restock: never\n" + goodSKUs,
			[]string{`5: sales[0].restock: must be return or withhold, not "never"`},
		},
		{
			"an answer to virtual accounts that is none", good + "    virtual_accounts: 5\n" + goodSKUs,
			[]string{`5: sales[0].virtual_accounts: must be hold or refuse, not "5"`},
		},
		{
			"a URL that is none", good + "    notify: shop.example.com\n" + goodSKUs,
			[]string{"5: sales[0].notify: must be an http or https URL without a password, of at most 500 bytes"},
		},
		{
			"a boolean that is none", good + "    amount_optional: yes\n" + goodSKUs,
			[]string{`5: sales[0].amount_optional: must be true or false, not "yes"`},
		},
		{
			"a version that is none", good + "    accept: [v1, v3]\n" + goodSKUs,
			[]string{`5: sales[0].accept[1]: must be v1 or v2, not "v3"`},
		},
		{
			"a version twice", good + "    accept: [v2, v2]\n" + goodSKUs,
			[]string{"5: sales[0].accept[1]: v2 is listed already"},
		},
		{"no version", good + "    accept: []\n" + goodSKUs, []string{"5: sales[0].accept: must list 1 to 2, not 0"}},
		{
			"a negative limit", good + "    per_buyer: -1\n" + goodSKUs,
			[]string{"5: sales[0].per_buyer: must be between 0 and 1000000000, not -1"},
		},
		{
			"numbers written another way",
			good + "    skus:\n" +
				"      - {name: a, stock: -3}\n" +
				"      - {name: b, stock: 1000000001}\n" +
				"      - {name: c, stock: 99999999999999999999}\n" +
				"      - {name: d, stock: 010}\n" +
				"      - {name: e, stock: 0x10}\n" +
				"      - {name: f, stock: 15_000}\n" +
				"      - {name: g, stock: 1e3}\n" +
				"      - {name: h, stock: 1.5}\n" +
				"      - {name: i, stock: \"5\"}\n" +
				"      - {name: j, stock: true}\n" +
				"      - {name: k, stock: }\n" +
				"      - {name: l, stock: [1]}\n" +
				"      - {name: m, stock: 1, price: -1}\n" +
				"      - {name: n, stock: 1, price: 1000000000001}\n" +
				"      - {name: o, stock: 1, price: ~}\n",
			[]string{
				"6: sales[0].skus[0].stock: must be between 0 and 1000000000, not -3",
				"7: sales[0].skus[1].stock: must be between 0 and 1000000000, not 1000000001",
				"8: sales[0].skus[2].stock: must be between 0 and 1000000000, not 99999999999999999999",
				`9: sales[0].skus[3].stock: must be a whole number in plain digits, not "010"`,
				`10: sales[0].skus[4].stock: must be a whole number in plain digits, not "0x10"`,
				`11: sales[0].skus[5].stock: must be a whole number in plain digits, not "15_000"`,
				`12: sales[0].skus[6].stock: must be a whole number in plain digits, not "1e3"`,
				`13: sales[0].skus[7].stock: must be a whole number in plain digits, not "1.5"`,
				`14: sales[0].skus[8].stock: must be a whole number in plain digits, not "5"`,
				`15: sales[0].skus[9].stock: must be a whole number in plain digits, not "true"`,
				"16: sales[0].skus[10].stock: has no value; it must be a whole number in plain digits",
				"17: sales[0].skus[11].stock: must be a whole number in plain digits, not a list",
				"18: sales[0].skus[12].price: must be between 0 and 1000000000000, not -1",
				"19: sales[0].skus[13].price: must be between 0 and 1000000000000, not 1000000000001",
				"20: sales[0].skus[14].price: has no value; it must be a whole number in plain digits",
			},
		},

		{
			"a time without offset", strings.Replace(good, "10:00:00+09:00", "10:00:00", 1) + goodSKUs,
			[]string{"3: sales[0].opens_at: 2026-12-01T10:00:00 has no UTC offset; write +09:00 for Korea"},
		},
		{
			"a date", strings.Replace(good, "T10:00:00+09:00", "", 1) + goodSKUs,
			[]string{`3: sales[0].opens_at: must be a time such as 2026-12-01T10:00:00+09:00, not "2026-12-01"`},
		},
		{
			"a time in microseconds", strings.Replace(good, "10:00:00+", "10:00:00.000001+", 1) + goodSKUs,
			[]string{"3: sales[0].opens_at: 2026-12-01T10:00:00.000001+09:00 is not in whole milliseconds"},
		},
		{
			"a year as a time", strings.Replace(good, "2026-12-01T10:00:00+09:00", "2026", 1) + goodSKUs,
			[]string{`3: sales[0].opens_at: must be a time such as 2026-12-01T10:00:00+09:00, not "2026"`},
		},
		{
			"a window of no length", strings.Replace(good, "18:00:00", "10:00:00", 1) + goodSKUs,
			[]string{"4: sales[0].closes_at: must be after opens_at"},
		},
		{
			"a window without end", strings.Replace(good, "2026-12-01T18", "9999-12-31T18", 1) + goodSKUs,
			[]string{"4: sales[0].closes_at: must be before the year 2200, not 9999-12-31T18:00:00+09:00"},
		},

		{
			"deposit_limit too long", good + "    deposit_limit: 721h\n" + goodSKUs,
			[]string{"5: sales[0].deposit_limit: must be between 1m0s and 720h0m0s, not 721h"},
		},
		{
			"reconcile_for too long", good + "    reconcile_for: 2161h\n" + goodSKUs,
			[]string{"5: sales[0].reconcile_for: must be between 1m0s and 2160h0m0s, not 2161h"},
		},
		{
			"reconcile_for that is none", good + "    reconcile_for: never\n" + goodSKUs,
			[]string{"5: sales[0].reconcile_for: must be a duration such as 5m or 90s, not \"never\""},
		},
		{
			"no such refund_brake", good + "    refund_brake: false\n" + goodSKUs,
			[]string{"5: sales[0].refund_brake: must be on or off, not \"false\""},
		},
		{
			"no deposit_limit", good + "    deposit_limit: 0s\n" + goodSKUs,
			[]string{"5: sales[0].deposit_limit: must be between 1m0s and 720h0m0s, not 0s"},
		},

		{
			"hold without unit", good + "    hold: 300\n" + goodSKUs,
			[]string{`5: sales[0].hold: must be a duration such as 5m or 90s, not "300"`},
		},
		{
			"hold in words", good + "    hold: 5 minutes\n" + goodSKUs,
			[]string{`5: sales[0].hold: must be a duration such as 5m or 90s, not "5 minutes"`},
		},
		{
			"hold in microseconds", good + "    hold: 5000001us\n" + goodSKUs,
			[]string{"5: sales[0].hold: 5000001us is not in whole milliseconds"},
		},
		{
			"a short hold", good + "    hold: 999ms\n" + goodSKUs,
			[]string{"5: sales[0].hold: must be between 1s and 24h0m0s, not 999ms"},
		},
		{
			"a long hold", good + "    hold: 24h1s\n" + goodSKUs,
			[]string{"5: sales[0].hold: must be between 1s and 24h0m0s, not 24h1s"},
		},

		{
			"messages",
			good + "    messages:\n      soldout: a\n      held: b\n      closed: \"\"\n      paused: 5\n      busy: " +
				"|\n        two\n        lines\n      not_open: fine\n      too_large: " + strings.Repeat("x", 501) +
				"\n" + goodSKUs,
			[]string{
				"6: sales[0].messages.soldout: unknown field; did you mean sold_out?",
				"7: sales[0].messages.held: unknown field; the fields here are " +
					strings.Join(gate.MessageNames(), ", "),
				`8: sales[0].messages.closed: must be 1 to 500 bytes of printable text`,
				`9: sales[0].messages.paused: must be a sentence in quotes, not "5"`,
				`10: sales[0].messages.busy: has U+000A at column 4, where only printable characters may be`,
				`14: sales[0].messages.too_large: must be 1 to 500 bytes of printable text`,
			},
		},
		{
			"messages without any", good + "    messages:\n" + goodSKUs,
			[]string{"5: sales[0].messages: has no value; it must be a mapping"},
		},

		{"no SKUs", good + "    skus: []\n", []string{"5: sales[0].skus: must list 1 to 1000, not 0"}},
		{
			"too many SKUs", good + "    skus:\n" + manySKUs(gate.MaxSKUs+1),
			[]string{"5: sales[0].skus: must list 1 to 1000, not 1001"},
		},
		{
			"too many sales", "sales:\n" + strings.Repeat("  - name: a\n", 1001),
			[]string{"1: sales: must list 0 to 1000, not 1001"},
		},
		{
			"faults of several sales, in line order",
			"sales:\n  - skus: [{name: x, stock: -1}]\n    name: a\n    opens_at: 1\n\n  - opens_at: 2\n    name: a\n",
			[]string{
				"2: sales[0].skus[0].stock: must be between 0 and 1000000000, not -1",
				"2: sales[0].closes_at: missing, and needed",
				`4: sales[0].opens_at: must be a time such as 2026-12-01T10:00:00+09:00, not "1"`,
				`6: sales[1].opens_at: must be a time such as 2026-12-01T10:00:00+09:00, not "2"`,
				"6: sales[1].closes_at: missing, and needed",
				"6: sales[1].skus: missing, and needed",
				"7: sales[1].name: a is taken by line 3",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := "sales.yaml:" + strings.Join(tt.want, "\nsales.yaml:")
			sales, err := parseSales("sales.yaml", []byte(tt.text))
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if sales != nil {
				t.Errorf("sales of a refused file: %v", sales)
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
