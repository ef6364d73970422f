package gate

import (
	"fmt"
	"slices"
	"strings"
)

// currencies are those in use by ISO 4217's list one as of 1 January 2026. Funds,
// metals, units of account and codes for tests are left out: nobody pays in them.
const currencies = `
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC
CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR
ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE
SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF
XPF YER ZAR ZMW ZWG`

// withdrawn are codes that were in use not long ago, each before the one that took
// its place.
const withdrawn = `
ANG XCG, BGN EUR, BYR BYN, CUC CUP, EEK EUR, HRK EUR, LTL EUR, LVL EUR, MRO MRU, SLL SLE, STD STN, TMM TMT, VEF VES,
ZMK ZMW, ZWL ZWG`

// undivided are the currencies whose amounts have no decimals.
const undivided = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"

// HasDecimals reports whether amounts in a currency, by its ISO 4217 code, may have
// decimals.
func HasDecimals(code string) bool { return !slices.Contains(strings.Fields(undivided), code) }

// CheckCurrency says what is wrong with the code of a currency. Payments in
// another one than meant are refund due, so nothing but a code of ISO 4217 that
// is in use will do, in capitals as payments have it.
func CheckCurrency(code string) error {
	known := strings.Fields(currencies)
	if slices.Contains(known, code) {
		return nil
	}
	const must = "must be the ISO 4217 code of a currency in use, in capitals, such as KRW"
	for pair := range strings.SplitSeq(withdrawn, ",") {
		if codes := strings.Fields(pair); codes[0] == code {
			return fmt.Errorf("%s; %s was replaced by %s", must, code, codes[1])
		}
	}
	// PortOne's SDK for browsers says CURRENCY_KRW in some calls.
	meant := strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(code)), "CURRENCY_")
	if slices.Contains(known, meant) {
		return fmt.Errorf("%s: did you mean %s?", must, meant)
	}
	return fmt.Errorf("%s", must)
}
