package cli

import (
	"cmp"
	"fmt"

	"github.com/flashgate/flashgate/gate"
)

// decimals says what cannot be sold of a sale that takes calls of V1 in a currency with
// decimals: V1 writes amounts in whole units with decimals, V2 in the smallest unit. It
// is empty where all can.
func decimals(currency string, takesV1 bool) string {
	if !takesV1 || !gate.HasDecimals(currency) {
		return ""
	}
	return fmt.Sprintf("V1 writes amounts in %s with decimals, and gates sell in whole amounts alone: a confirm of V1 "+
		"with an amount such as 10.50 is refused as bad_request. Let every amount be whole, or use V2", currency)
}

// decimalsNotes says what gates with this environment's settings cannot sell of a sale.
func (e *environment) decimalsNotes(s *gate.Settings) []string {
	secrets, lookups := e.takes()
	_, takes := secrets.Takes(gate.V1, s.Accept, lookups)
	if note := decimals(cmp.Or(e.setting("CURRENCY"), usualCurrency), takes); note != "" {
		return []string{note}
	}
	return nil
}
