package luascripts_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flashgate/flashgate/luascripts"
)

// call is one call of a script as a golden file spells it.
type call struct {
	script luascripts.Script
	keys   []string // by their last names
	args   []any
}

// parameters are the arguments that every call of a script has, in its order.
// Those that have no default must be given.
type parameters struct {
	script luascripts.Script
	keys   []string
	names  []string
}

func scripts() map[string]parameters {
	settings := []string{"opens", "closes", "hold", "per_buyer", "paused", "brake_off", "settings"}
	of := func(script luascripts.Script, keys []string, names ...string) parameters {
		return parameters{script, keys, names}
	}
	all := keyNames()
	queues := []string{"sale", "due", "again", "hastened", "alone", "strangers", "refunds", "aside"}
	return map[string]parameters{
		"confirm": of(luascripts.Confirm, all[:5], "now", "who", "first_look", "asking"),
		"grant":   of(luascripts.Grant, all[:5], "now", "who", "first_look"),
		"create":  of(luascripts.Create, all, append([]string{"now", "who", "run", "drop", "open"}, settings...)...),
		"configure": of(luascripts.Configure, []string{"sale", "ledger"},
			append([]string{"now", "who", "kind", "version"}, settings...)...),
		"delete": of(luascripts.Delete, all, "now", "who", "drop"),
		"losses": of(luascripts.Losses, []string{"sale", "ledger", "notify"}, "now", "drop"),
		"forget": of(luascripts.Forget, []string{"sale", "ledger"}, "now", "who"),
		"sale":   of(luascripts.Sale, all[:1], "now", "seq", "time", "sha1"),
		"touch":  of(luascripts.Touch, all[:1], "now", "at"),
		"claim": of(luascripts.Claim, queues, "now", "lease", "sweep", "ahead",
			"fresh", "again", "hastened", "alone", "strangers", "refunds", "aside"),
		"keep":   of(luascripts.Keep, []string{"sale", "due"}, "now", "lease"),
		"unfold": of(luascripts.Unfold, []string{"sale", "due", "aside", "faults"}, "now", "n"),
		"aside": of(luascripts.Aside, append(slices.Concat(queues[:3], queues[4:]), "faults"), "now", "first",
			"longest", "new"),
		"retry":  of(luascripts.Retry, []string{"sale", "aside"}, "now"),
		"hasten": of(luascripts.Hasten, []string{"sale", "orders", "hastened"}, "now", "pause", "order"),
		"look":   of(luascripts.Look, slices.Concat([]string{"sale", "orders"}, queues[1:3], queues[4:]), "now"),
		"again":  of(luascripts.Again, []string{"sale", "orders", "again"}, "now", "in"),
		"settle": of(luascripts.Settle, append(slices.Concat(all[:5], queues[2:3], queues[4:]), "faults", "owed"),
			"now", "who", "kind"),
		"note":    of(luascripts.Note, []string{"sale", "orders", "owed"}, "order", "was", "text"),
		"lease":   of(luascripts.Lease, []string{"sale", "notify"}, "now", "what", "token", "lease"),
		"contest": of(luascripts.Contest, []string{"sale", "orders", "disputes"}, "order", "was", "text"),
		"brake": of(luascripts.Brake, []string{"sale", "orders", "owed", "ledger"},
			"now", "who", "order", "was", "sent", "waits", "reason", "setting", "counted"),
		"unbrake": of(luascripts.Unbrake, []string{"sale", "ledger"}, "now", "who", "payments", "lapses"),
	}
}

func defaults() map[string]string {
	return map[string]string{
		"who": "kim", "first_look": "20", "run": "1", "drop": "", "open": "1", "kind": "apply", "opens": "1000",
		"closes": "9000",
		"hold":   "500", "per_buyer": "0", "paused": "0", "brake_off": "0", "settings": "{}",
		"lease": "30", "what": "claim", "token": "A", "sweep": "60", "ahead": "5000", "at": "",
		"fresh": "10", "again": "10", "hastened": "10", "alone": "10", "strangers": "10", "refunds": "10",
		"aside": "10",
		"first": "10", "longest": "60", "new": "", "pause": "30", "in": "0", "sent": "S", "waits": "W", "setting": "",
		"counted": "", "lapses": "1000",
		"seq": "", "time": "", "sha1": "", "asking": "200",
	}
}

// parseCall reads "SCRIPT name=value … SKU:STOCK …"; the confirms of a batch
// follow on lines of their own.
func parseCall(line string, confirms []string) (call, error) {
	words := strings.Fields(line)
	p, ok := scripts()[words[0]]
	if !ok {
		return call{}, fmt.Errorf("there is no script %q", words[0])
	}
	values, skus := defaults(), []any(nil)
	for _, word := range words[1:] {
		if name, value, ok := strings.Cut(word, "="); ok {
			if name == "now" {
				value = clock(value)
			}
			values[name] = value
		} else if sku, stock, ok := strings.Cut(word, ":"); ok {
			skus = append(skus, sku, stock)
		} else {
			return call{}, fmt.Errorf("%q is neither NAME=VALUE nor SKU:STOCK", word)
		}
	}
	c := call{script: p.script, keys: p.keys}
	for _, name := range p.names {
		value, ok := values[name]
		if !ok {
			return call{}, fmt.Errorf("%s needs %s=", words[0], name)
		}
		c.args = append(c.args, value)
	}
	c.args = append(c.args, skus...)
	var batch []any
	var err error
	switch words[0] {
	case "confirm":
		batch, err = parseBatch(confirms)
	case "grant":
		batch, err = parseAnswers(confirms)
	case "settle":
		batch, err = parseMoves(confirms)
	case "lease", "look", "again", "keep", "unfold", "aside":
		batch = parseFields(confirms)
	}
	c.args = append(c.args, batch...)
	return c, err
}

// clock spells the clock of a call as scripts take it. "2000" is Redis' clock alone,
// "2000,3000" Redis' and the caller's; empty is this machine's, beside Redis' real one.
func clock(now string) string {
	if now == "" {
		return strconv.FormatInt(time.Now().UnixMilli(), 10)
	}
	return "=" + now
}

// parseBatch reads confirms, each "ORDER ATTEMPT BUYER LINES AMOUNT [asking] [n] [k]"
// with "-" for none, into the four runs of arguments that follow their number.
func parseBatch(confirms []string) ([]any, error) {
	var ids, records, buyers, lines []any
	for _, text := range confirms {
		f := strings.Fields(text)
		if len(f) < 5 {
			return nil, fmt.Errorf("%q is not ORDER ATTEMPT BUYER LINES AMOUNT", text)
		}
		for i := range f {
			if f[i] == "-" {
				f[i] = ""
			}
		}
		state := "1H"
		if slices.Contains(f[5:], "asking") {
			state = "1A"
		}
		for _, mark := range []string{"n", "k"} {
			if slices.Contains(f[5:], mark) {
				state = mark + state
			}
		}
		ids = append(ids, f[0])
		records = append(records, strings.Join([]string{state, "1", f[2], f[3], f[4], "", "O1" + f[1], ""}, "\x1f"))
		buyers = append(buyers, f[2])
		lines = append(lines, f[3])
	}
	batch := append([]any{len(ids), traits(ids, records, buyers)}, ids...)
	batch = append(batch, records...)
	batch = append(batch, buyers...)
	return append(batch, lines...), nil
}

// parseAnswers reads what the shop said, each "ORDER yes ATTEMPT" or "ORDER no REVISION".
func parseAnswers(lines []string) ([]any, error) {
	answers := []any{len(lines)}
	for _, text := range lines {
		f := strings.Fields(text)
		switch {
		case len(f) == 3 && f[1] == "yes":
			answers = append(answers, f[0], "Y1"+f[2])
		case len(f) == 3 && f[1] == "no":
			answers = append(answers, f[0], "N"+f[2])
		default:
			return nil, fmt.Errorf("%q is not ORDER yes ATTEMPT or ORDER no REVISION", text)
		}
	}
	return answers, nil
}

// parseMoves reads orders, each "ORDER OLD NEW OTHER LOOK" with "-" for an empty
// one, and "done MEMBER …", into the arguments that follow the kind.
func parseMoves(lines []string) ([]any, error) {
	moves, done := []any{0}, []any(nil)
	for _, text := range lines {
		f := strings.Fields(strings.NewReplacer("␟", "\x1f", "␞", "\x1e", "␝", "\x1d").Replace(text))
		if f[0] == "done" {
			for _, member := range f[1:] {
				done = append(done, member)
			}
			continue
		}
		if len(f) != 5 {
			return nil, fmt.Errorf("%q is not ORDER OLD NEW OTHER LOOK", text)
		}
		for _, word := range f {
			moves = append(moves, strings.TrimPrefix(word, "-"))
		}
		moves[0] = len(moves) / 5
	}
	return append(moves, done...), nil
}

// parseFields reads words, such as a hash's fields, each "FIELD VALUE", with "-" for an empty one.
func parseFields(lines []string) (fields []any) {
	for _, text := range lines {
		for _, word := range strings.Fields(text) {
			fields = append(fields, strings.TrimPrefix(word, "-"))
		}
	}
	return fields
}

// traits are the letters that tell the script what a batch has.
func traits(ids, records, buyers []any) string {
	has := map[string]bool{}
	seen := map[any]bool{}
	for i := range ids {
		order, buyer := fmt.Sprint("order ", ids[i]), fmt.Sprint("buyer ", buyers[i])
		has["r"] = has["r"] || seen[order] || buyers[i] != "" && seen[buyer]
		has["b"] = has["b"] || buyers[i] != ""
		has["a"] = has["a"] || strings.HasPrefix(strings.TrimLeft(fmt.Sprint(records[i]), "nk"), "1A")
		has["m"] = has["m"] || !strings.HasPrefix(fmt.Sprint(records[i]), "1")
		seen[order], seen[buyer] = true, true
	}
	letters := ""
	for _, letter := range []string{"a", "b", "r", "m"} {
		if has[letter] {
			letters += letter
		}
	}
	return letters
}
