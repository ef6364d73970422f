package gate

import "time"

// Mark is how far the payment service's list of changes was read, of one version.
type Mark struct {
	Until   time.Time // every change until then was compared; the payment service's clock, zero if none was
	Read    time.Time // when the list was last read to its end; the store's clock, zero if it never was
	Trouble string    // why it could not be read since; empty where it could
}

// Reconciling is how far a sale's orders were compared with what has changed at the
// payment service.
type Reconciling struct {
	Now   time.Time // the store's clock
	Marks [3]Mark   // by version
}

// ReconcilingReport is a Reconciling as operators are shown it, of one version.
type ReconcilingReport struct {
	Version Version   `json:"version"`
	Until   time.Time `json:"until,omitzero"` // every change until then was compared
	Read    time.Time `json:"read,omitzero"`  // when the list of changes was last read to its end
	Trouble string    `json:"trouble,omitempty"`
}

// Report tells about each version of which a list was read, or could not be.
func (r *Reconciling) Report() []ReconcilingReport {
	all := []ReconcilingReport{}
	for version, m := range r.Marks {
		if m != (Mark{}) {
			all = append(all, ReconcilingReport{Version(version), m.Until, m.Read, m.Trouble})
		}
	}
	return all
}
