package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// change is one difference between two sales, such as
// "skus.full.stock: 15000 -> 20000".
type change string

// changes tells what makes new of old, in the order of a sale file; SKUs stand
// in new's order, removed ones after them. It is empty exactly where the runs
// and the settings are equal, but for the name and Paused, which a file does
// not set for a sale that exists. Times are written in new's offsets.
func changes(old, new gate.Sale) []change {
	var all []change
	compare := func(field, from, to string) {
		if from != to {
			all = append(all, change(field+": "+from+" -> "+to))
		}
	}
	compare("run", number(old.Run), number(new.Run))
	compare("opens_at", instant(old.OpensAt, new.OpensAt), instant(new.OpensAt, new.OpensAt))
	compare("closes_at", instant(old.ClosesAt, new.ClosesAt), instant(new.ClosesAt, new.ClosesAt))
	compare("hold", duration(old.Hold), duration(new.Hold))
	compare("per_buyer", limit(old.PerBuyer), limit(new.PerBuyer))
	compare("accept", versions(old.Accept), versions(new.Accept))
	compare("amount_optional", strconv.FormatBool(old.AmountOptional), strconv.FormatBool(new.AmountOptional))
	compare("auto_refund", strconv.FormatBool(old.AutoRefund), strconv.FormatBool(new.AutoRefund))
	compare("refund_brake", either(old.Unbraked, "off", "on"), either(new.Unbraked, "off", "on"))
	compare("restock", either(old.Withhold, "withhold", "return"), either(new.Withhold, "withhold", "return"))
	compare("virtual_accounts", either(old.RefuseDeposits, "refuse", "hold"),
		either(new.RefuseDeposits, "refuse", "hold"))
	compare("deposit_limit", duration(old.LongestDeposit()), duration(new.LongestDeposit()))
	compare("reconcile_for", reconciled(&old.Settings), reconciled(&new.Settings))
	compare("release_unproven", strconv.FormatBool(old.ReleaseUnproven), strconv.FormatBool(new.ReleaseUnproven))
	compare("notify", shown(old.Notify, "nobody"), told(old.Notify, new.Notify, "nobody"))
	compare("healthy", shown(old.Healthy, "not looked at"), told(old.Healthy, new.Healthy, "not looked at"))
	compare("ask", shown(old.Ask, "nobody"), told(old.Ask, new.Ask, "nobody"))
	compare("show_stock", strconv.FormatBool(old.ShowStock), strconv.FormatBool(new.ShowStock))
	all = append(all, messageChanges(old.Messages, new.Messages)...)

	was, is := bySKU(old.SKUs), bySKU(new.SKUs)
	for _, k := range new.SKUs {
		field := "skus." + k.Name
		o, ok := was[k.Name]
		if !ok {
			all = append(all, change(field+": added ("+describe(k)+")"))
			continue
		}
		compare(field+".stock", number(o.Stock), number(k.Stock))
		compare(field+".price", price(o.Price), price(k.Price))
	}
	for _, k := range old.SKUs {
		if _, ok := is[k.Name]; !ok {
			all = append(all, change("skus."+k.Name+": removed"))
		}
	}
	if !slices.Equal(shared(old.SKUs, is), shared(new.SKUs, was)) {
		all = append(all, "skus: in another order")
	}
	return all
}

// reconciled writes how long after its end a sale is compared with PortOne.
func reconciled(s *gate.Settings) string {
	if s.ReconcileFor == gate.NeverReconcile {
		return gate.ReconcileNever
	}
	return duration(cmp.Or(s.ReconcileFor, gate.DefaultReconcileFor))
}

// shown writes a URL of the shop's as it may be logged.
func shown(url, none string) string { return cmp.Or(gate.HideSecrets(url), none) }

// told writes the URL of the shop's that counts from now on. What of it may be a
// secret shows only in that it has changed: all of this is logged.
func told(old, new, none string) string {
	text := shown(new, none)
	if old != new && text == gate.HideSecrets(old) {
		text += " (another query)"
	}
	return text
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

func versions(accept []string) string {
	if len(accept) == 0 {
		return "any"
	}
	return strings.Join(accept, ", ")
}

func messageChanges(old, new map[string]string) []change {
	codes := maps.Clone(old)
	if codes == nil {
		codes = make(map[string]string)
	}
	maps.Copy(codes, new)
	var all []change
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		from, had := old[code]
		to, has := new[code]
		field := "messages." + code
		switch {
		case !had:
			all = append(all, change(fmt.Sprintf("%s: added (%q)", field, to)))
		case !has:
			all = append(all, change(field+": removed"))
		case from != to:
			all = append(all, change(fmt.Sprintf("%s: %q -> %q", field, from, to)))
		}
	}
	return all
}

func bySKU(skus []gate.SKU) map[string]gate.SKU {
	named := make(map[string]gate.SKU, len(skus))
	for _, k := range skus {
		named[k.Name] = k
	}
	return named
}

// shared returns the names of skus that others have too, in the order of skus.
func shared(skus []gate.SKU, others map[string]gate.SKU) []string {
	var names []string
	for _, k := range skus {
		if _, ok := others[k.Name]; ok {
			names = append(names, k.Name)
		}
	}
	return names
}

func describe(k gate.SKU) string {
	text := "stock " + number(k.Stock)
	if k.Price != nil {
		text += ", price " + number(*k.Price)
	}
	return text
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func limit(n int64) string {
	if n == 0 {
		return "no limit"
	}
	return number(n)
}

func price(p *int64) string {
	if p == nil {
		return "none"
	}
	return number(*p)
}

// instant writes t in the offset of like, so that two of them can be compared.
func instant(t, like time.Time) string {
	return t.In(like.Location()).Format(time.RFC3339Nano)
}

// duration writes 5m0s as 5m.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
