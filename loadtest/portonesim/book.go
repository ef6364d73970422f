package portonesim

import "slices"

// book has every payment.
type book struct {
	all       []*record            // the oldest first
	byAttempt map[string]*record   // without those that were invented
	byOrder   map[string][]*record // by an order's key, the oldest first; without those that were invented
	tries     map[string]int       // by an order's key, with those that were invented
	owner     map[string]string    // the order's key by attempt, with those that were invented
	prepared  map[string]prepared  // by an order's key
	stores    map[string]bool      // those that V2's secret reaches
	events    []event              // the oldest first
}

// prepared is what the shop said in advance that an order costs.
type prepared struct {
	hundredths int64  // of what V1 shows; 0: nothing was said
	currency   string // empty: nothing was said
}

func newBook() book {
	return book{
		byAttempt: map[string]*record{}, byOrder: map[string][]*record{}, tries: map[string]int{},
		owner: map[string]string{}, prepared: map[string]prepared{}, stores: map[string]bool{StoreID: true},
	}
}

func (b *book) add(r *record) {
	b.all = append(b.all, r)
	r.place = len(b.all)
	b.owner[r.attempt] = r.order.key()
	b.stores[r.order.StoreID] = true
	if r.fate != invented {
		b.byAttempt[r.attempt] = r
		b.byOrder[r.order.key()] = append(b.byOrder[r.order.key()], r)
	}
}

// newest returns an order's newest payment, or the one that succeeded; nil for none.
func (b *book) newest(key string) *record {
	list := b.byOrder[key]
	for _, r := range list {
		if !r.paidAt.IsZero() {
			return r
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// shown returns what V2 lists, the oldest first: the payment of each of its orders,
// and every one of V1, for a merchant's payments are in both.
func (b *book) shown() (list []*record) {
	for _, r := range b.all {
		if r.order.Version == 1 && r.fate != invented || r.order.Version == 2 && b.newest(r.order.key()) == r {
			list = append(list, r)
		}
	}
	return list
}

// successful reports whether an order was paid once, or is about to be.
func (b *book) successful(key string) bool {
	return slices.ContainsFunc(b.byOrder[key], func(r *record) bool { return !r.paidAt.IsZero() || r.state == deposit })
}

// find returns the latest payment of an order, whatever its version and store, that
// is what is asked for; an empty attempt is any.
func (b *book) find(order, attempt string, is func(*record) bool) *record {
	for i := len(b.all) - 1; i >= 0; i-- {
		r := b.all[i]
		if r.order.ID == order && (attempt == "" || r.attempt == attempt) && is(r) {
			return r
		}
	}
	return nil
}
