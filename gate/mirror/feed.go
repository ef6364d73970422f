package mirror

import "github.com/flashgate/flashgate/gate"

const (
	feedEntries = 1024   // that are kept for those who read them
	feedChanges = 20_000 // of orders in them
)

// feed is the newest entries of the ledger, for whoever wants to be told of them. It
// waits for nobody: who is too slow finds that what comes next is gone.
type feed struct {
	entries []*gate.Entry
	changes int
	changed chan struct{} // is closed when there are more; nil while there is no feed
}

func (f *feed) begin() { *f = feed{changed: make(chan struct{})} }

func (f *feed) add(e *gate.Entry) {
	if n := len(f.entries); n > 0 && f.entries[n-1].Seq+1 != e.Seq { // a sale that begins anew may leave a gap
		f.entries, f.changes = nil, 0
	}
	f.entries = append(f.entries, e)
	f.changes += len(e.Changes)
	drop := 0
	for len(f.entries)-drop > feedEntries || f.changes > feedChanges && len(f.entries)-drop > 1 {
		f.changes -= len(f.entries[drop].Changes)
		drop++
	}
	if drop > 0 {
		f.entries = append(f.entries[:0:0], f.entries[drop:]...)
	}
}

// tell wakes those who wait.
func (f *feed) tell() {
	if f.changed != nil {
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

func (f *feed) end() {
	if f.changed != nil {
		close(f.changed)
	}
	*f = feed{}
}

// Since returns the ledger entries behind one, oldest first, and a channel that is closed
// when there are more. It reports false where the mirror cannot tell all of them: there
// is no copy, or that entry is too old, or yet to come. The entries must not be changed.
func (m *Mirror) Since(seq int64) (entries []*gate.Entry, more <-chan struct{}, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.ready || seq > m.fold.Seq || m.fold.Seq-seq > int64(len(m.feed.entries)) {
		return nil, nil, false
	}
	behind := int(m.fold.Seq - seq)
	return m.feed.entries[len(m.feed.entries)-behind:], m.feed.changed, true
}
