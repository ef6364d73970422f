package store

// salesKey holds the names of the sales. It is the only key outside of a sale's
// slot, so it is never touched by a script.
const salesKey = "fg:sales"

// keys are the keys of one sale. The hash tag {sale} keeps them in one slot of
// a Cluster, so that a script may use them together.
type keys struct {
	sale, orders, buyers, ledger, due, gates, notify, owed string
}

func keysOf(sale string) keys {
	k := "fg:{" + sale + "}"
	return keys{
		sale: k, orders: k + ":orders", buyers: k + ":buyers", ledger: k + ":ledger", due: k + ":due", gates: k + ":gates",
		notify: k + ":notify", owed: k + ":owed",
	}
}

// all are the keys of the scripts that make and delete a sale, in their order.
func (k keys) all() []string {
	return []string{k.sale, k.orders, k.buyers, k.ledger, k.due, k.gates, k.notify, k.owed}
}

// settling are the keys of the settle script, in its order.
func (k keys) settling() []string { return append(k.deciding(), k.owed) }

// noting are the keys of the note script, in its order.
func (k keys) noting() []string { return []string{k.sale, k.orders, k.owed} }

// deciding are the keys of the confirm script, in its order.
func (k keys) deciding() []string {
	return []string{k.sale, k.orders, k.buyers, k.ledger, k.due}
}
