package mirror

import (
	"maps"

	"github.com/flashgate/flashgate/gate"
)

// Records returns the records of the copy, by order.
func (m *Mirror) Records() map[string]gate.Recorded {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.fold == nil {
		return nil
	}
	return maps.Clone(m.fold.Records)
}
