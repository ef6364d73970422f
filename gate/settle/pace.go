package settle

import "time"

// leap is how much the store's clock may gain on the gate's own from one round to the next. If it
// gains more, it was put ahead: by hand, or because another server took over.
const leap = 10 * time.Second

// pace watches the store's clock by the gate's own, for one sale.
type pace struct {
	ahead time.Duration // of the gate's own clock, when both were last read
	put   time.Time     // when the store's clock was last put ahead, by that clock; zero if never
}

// seen is the pace after both clocks were read. A gate that starts trusts its own clock. If the
// store's clock goes back to before it was put ahead, that is forgotten.
func (p pace) seen(store, own time.Time) pace {
	was := p.ahead
	p.ahead = store.Sub(own)
	if p.ahead-was > leap {
		p.put = store
	}
	if p.put.After(store) {
		p.put = time.Time{}
	}
	return p
}

// pace notes the store's time in a round of a sale, and returns the pace of its clock. The gate's
// own time is monotonic, whatever is done to the machine's clock.
func (s *Settler) pace(sale string, store time.Time) pace {
	own := s.began.Add(s.deps.Now().Sub(s.began))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paces[sale] = s.paces[sale].seen(store, own)
	return s.paces[sale]
}
