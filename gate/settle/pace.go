package settle

import "time"

// leap is how much the store's clock may gain on the gate's own from one round to
// the next. More, and it was put ahead: by hand, or as another server took over.
const leap = 10 * time.Second

// pace watches the store's clock by the gate's own, for one sale.
type pace struct {
	ahead time.Duration // of the gate's own, when it was last seen
	put   time.Time     // since when the store's clock runs as it does, by itself; zero if it was never put ahead
}

// seen is the pace after both clocks were read. A gate that starts takes its own
// for right. Once the store's clock is back before it was put ahead, it never was.
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

// pace notes the store's time in a round of a sale, and tells how its clock runs.
// The gate's own counts on steadily, whatever is done to the machine's clock.
func (s *Settler) pace(sale string, store time.Time) pace {
	own := s.began.Add(s.deps.Now().Sub(s.began))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paces[sale] = s.paces[sale].seen(store, own)
	return s.paces[sale]
}
