package web

import (
	"context"
	"fmt"
	"strconv"

	"github.com/flashgate/flashgate/gate"
)

// ledgerMost bounds what one call shows of a ledger, in entries and their orders together: an entry
// may hold a whole batch. The entry that reaches the bound is the last one shown.
const ledgerMost = 10_000

// ledger shows entries of a sale's ledger after ?since=SEQ, oldest first. To read on, a caller asks
// again with the seq of the last entry, until the list is empty.
func (a *Admin) ledger(ctx context.Context, c *apiCall) (reply, error) {
	since := int64(0)
	if text := c.FormValue("since"); text != "" {
		var err error
		if since, err = strconv.ParseInt(text, 10, 64); err != nil || since < 0 {
			return reply{}, badRequest(fmt.Errorf("since %.20q: must be the seq of an entry", text))
		}
	}
	if _, err := a.deps.Sales.Sale(ctx, c.sale()); err != nil {
		return reply{}, err
	}
	entries, size := []gate.EntryView{}, 0
	for e, err := range a.deps.Sales.Ledger(ctx, c.sale(), since+1) {
		if err != nil {
			return reply{}, err
		}
		entries = append(entries, e.View().WithoutSecrets())
		if size += 1 + len(e.Orders); size >= ledgerMost {
			break
		}
	}
	return reply{body: entries}, nil
}
