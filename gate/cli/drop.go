package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flashgate/flashgate/gate"
)

// dropFlags are how a command is told what may go with a sale that it throws away.
// They have no variables: nobody is to agree to a loss for good.
type dropFlags struct {
	DropHeld        bool     `env:"-" help:"Drop units that are held. A payment that is approved afterwards has no unit."`
	DropPaid        []string `env:"-" placeholder:"[SALE=]N" help:"Drop the orders that are paid or refund due, if there are exactly N; of a file with several sales SALE=N, with commas between. Pause the sale first, for the number moves while it sells."`
	Archived        []string `env:"-" sep:"none" placeholder:"FILE" help:"Drop the same, because this archive has all of the sale as it is; once for each sale."`
	DropUndelivered bool     `env:"-" help:"Drop changes that the shop has not taken: see flashgate undelivered."`
}

// drops returns what may go with each of the sales.
func (f *dropFlags) drops(env *environment, sales ...string) (map[string]gate.Drop, error) {
	drops := map[string]gate.Drop{}
	for _, sale := range sales {
		drops[sale] = gate.Drop{Held: f.DropHeld, Undelivered: f.DropUndelivered}
	}
	for _, text := range f.DropPaid {
		sale, n, err := parsePaid(text, sales)
		if err != nil {
			return nil, fmt.Errorf("--drop-paid %s: %w", text, err)
		}
		d := drops[sale]
		if d.Paid != nil {
			return nil, fmt.Errorf("--drop-paid %s: sale %s has a number already", text, sale)
		}
		d.Paid = &n
		drops[sale] = d
	}
	for _, path := range f.Archived {
		whole, err := checkArchive(path, progressTo(env.err))
		if err != nil {
			return nil, fmt.Errorf("--archived %s: %w", path, err)
		}
		d, known := drops[whole.Sale]
		if !known || d.Archived != nil {
			return nil, fmt.Errorf("--archived %s: it is of sale %s: give one archive for each sale, of %s", path,
				whole.Sale, strings.Join(sales, ", "))
		}
		d.Archived = &gate.Archived{Run: whole.Run, Seq: whole.Seq}
		drops[whole.Sale] = d
	}
	return drops, nil
}

// parsePaid reads SALE=N, or N where there is one sale.
func parsePaid(text string, sales []string) (string, int64, error) {
	sale, number, named := strings.Cut(text, "=")
	if !named {
		sale, number = sales[0], text
		if len(sales) > 1 {
			return "", 0, fmt.Errorf("there are %d sales: say of which, as in %s=%s", len(sales), sale, number)
		}
	}
	if !slices.Contains(sales, sale) {
		return "", 0, fmt.Errorf("there is no sale %s among %s", sale, strings.Join(sales, ", "))
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 {
		return "", 0, fmt.Errorf("%q must be how many orders are paid or refund due", number)
	}
	return sale, n, nil
}
