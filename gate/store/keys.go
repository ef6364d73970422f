package store

import "github.com/flashgate/flashgate/gate"

// salesKey holds the names of the sales. It is the only key outside a sale's slot, so no script
// touches it.
const salesKey = "fg:sales"

// keys are the keys of one sale. The hash tag {sale} keeps them in one slot of
// a Cluster, so that a script may use them together.
type keys struct {
	sale, orders, buyers, ledger, due, gates, notify, owed    string
	again, hastened, alone, strangers, refunds, aside, faults string
	reconcile, disputes                                       string
}

func keysOf(sale string) keys {
	k := "fg:{" + sale + "}"
	return keys{
		sale: k, orders: k + ":orders", buyers: k + ":buyers", ledger: k + ":ledger", due: k + ":due",
		gates:  k + ":gates",
		notify: k + ":notify", owed: k + ":owed", again: k + ":again", hastened: k + ":hastened", alone: k + ":alone",
		strangers: k + ":strangers",
		refunds:   k + ":refunds", aside: k + ":aside", faults: k + ":faults", reconcile: k + ":reconcile",
		disputes: k + ":disputes",
	}
}

// all are the keys of the scripts that make and delete a sale, in their order.
func (k keys) all() []string {
	return []string{
		k.sale, k.orders, k.buyers, k.ledger, k.due, k.gates, k.notify, k.owed,
		k.again, k.hastened, k.alone, k.strangers, k.refunds, k.aside, k.faults, k.reconcile, k.disputes,
	}
}

// noting are the keys of the note script, in its order.
func (k keys) noting() []string { return []string{k.sale, k.orders, k.owed} }

// contesting are the keys of the contest script, in its order.
func (k keys) contesting() []string { return []string{k.sale, k.orders, k.disputes} }

// braking are the keys of the brake script, in its order.
func (k keys) braking() []string { return []string{k.sale, k.orders, k.owed, k.ledger} }

// deciding are the keys of the confirm script, in its order.
func (k keys) deciding() []string {
	return []string{k.sale, k.orders, k.buyers, k.ledger, k.due}
}

// settling are the keys of the settle script, in its order.
func (k keys) settling() []string {
	return append([]string{k.sale, k.orders, k.buyers, k.ledger}, append(k.standing(), k.faults, k.owed)...)
}

// queues are the keys of the queues, in their order.
func (k keys) queues() [gate.Queues]string {
	return [...]string{k.due, k.again, k.hastened, k.alone, k.strangers, k.refunds, k.aside}
}

// standing are the queues that hold the orders to be looked up: each such order is in one of them. A hastened order is
// in one of them too, so hastened is left out.
func (k keys) standing() []string {
	return []string{k.due, k.again, k.alone, k.strangers, k.refunds, k.aside}
}
