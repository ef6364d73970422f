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
	for code, says := range map[string]string{
		"":              "must be the ISO 4217 code",
		"krw":           "did you mean KRW?",
		"CURRENCY_KRW":  "did you mean KRW?",
		"Currency_Usd":  "did you mean USD?",
		" KRW":          "did you mean KRW?",
		"KRW,USD":       "must be the ISO 4217 code",
		"410":           "must be the ISO 4217 code",
		"WON":           "must be the ISO 4217 code",
		"HRK":           "HRK was replaced by EUR",
		"BGN":           "BGN was replaced by EUR",
		"XXX":           "must be the ISO 4217 code", // no currency
		"XTS":           "must be the ISO 4217 code", // for tests
		"XAU":           "must be the ISO 4217 code", // gold
		"CLF":           "must be the ISO 4217 code", // a fund
		"KRW USD":       "must be the ISO 4217 code",
		"CURRENCY_":     "must be the ISO 4217 code",
		"CURRENCY_WON":  "must be the ISO 4217 code",
		"KRW\u00a0":     "did you mean KRW?",
		"\u212aRW":      "must be the ISO 4217 code", // the Kelvin sign
		"currency_krw ": "did you mean KRW?",
	} {
		if err := CheckCurrency(code); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %s", code, err, says)
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
	if len(known) < 150 || len(known) > 165 {
		t.Errorf("%d currencies", len(known))
	}
}
