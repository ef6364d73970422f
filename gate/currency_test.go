package gate

import (
	"strings"
	"testing"
)

func TestOnlyACurrencyInUseIsTaken(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"KRW", "USD", "JPY", "EUR", "XOF", "SLE", "XCG"} {
		if err := CheckCurrency(code); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
	const must = "must be the ISO 4217 code of a currency in use, in capitals, such as KRW"
	for code, hint := range map[string]string{
		"":              "",
		"krw":           ": did you mean KRW?",
		"CURRENCY_KRW":  ": did you mean KRW?",
		"Currency_Usd":  ": did you mean USD?",
		" KRW":          ": did you mean KRW?",
		"KRW,USD":       "",
		"KRW USD":       "",
		"KRWUSD":        "",
		"KR":            "",
		"410":           "",
		"WON":           "",
		"CURRENCY_":     "",
		"CURRENCY_WON":  "",
		"KRW\u00a0":     ": did you mean KRW?",
		"\u212aRW":      "", // the Kelvin sign
		"currency_krw ": ": did you mean KRW?",
		"HRK":           "; HRK was replaced by EUR",
		"hrk":           "",
	} {
		if err := CheckCurrency(code); err == nil || err.Error() != must+hint {
			t.Errorf("%q: got %v, want %s", code, err, must+hint)
		}
	}
}

// PortOne's list of currencies has codes that nobody pays with: of funds, units of
// account, metals and tests, and of currencies that are no more.
func TestWhatPortOneListsAndNobodyPaysWithIsRefused(t *testing.T) {
	t.Parallel()
	const none = "BOV CHE CHW CLF COU MXV USN UYI UYW XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX"
	for code := range strings.FieldsSeq(none) {
		if err := CheckCurrency(code); err == nil || strings.Contains(err.Error(), "replaced") {
			t.Errorf("%s: %v", code, err)
		}
	}
	for old, instead := range map[string]string{
		"ANG": "XCG", "BGN": "EUR", "CUC": "CUP", "HRK": "EUR", "SLL": "SLE",
		"ZWL": "ZWG",
	} {
		if err := CheckCurrency(old); err == nil || !strings.HasSuffix(err.Error(), old+" was replaced by "+instead) {
			t.Errorf("%s: %v", old, err)
		}
	}
}

// No code is both, or twice, and what replaced one is in use.
func TestTheTablesOfCurrenciesAreWhole(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	last := ""
	for _, code := range strings.Fields(currencies) {
		if len(code) != 3 || code <= last {
			t.Errorf("%s comes after %s", code, last)
		}
		known[code], last = true, code
	}
	for pair := range strings.SplitSeq(withdrawn, ",") {
		if codes := strings.Fields(pair); len(codes) != 2 || known[codes[0]] || !known[codes[1]] {
			t.Errorf("%q", pair)
		}
	}
	for code := range strings.FieldsSeq(undivided) {
		if !known[code] || HasDecimals(code) {
			t.Errorf("%s is not in use, or has decimals", code)
		}
	}
	if !HasDecimals("USD") {
		t.Error("dollars have no cents")
	}
	if len(known) != 155 {
		t.Errorf("%d currencies", len(known))
	}
}
