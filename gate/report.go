package gate

import "time"

// Report is a sale as operators are shown it: by the command line and by the
// admin API. Its JSON is part of what is promised to them.
type Report struct {
	Sale     string      `json:"sale"`
	Run      int64       `json:"run"`
	State    string      `json:"state"` // State.Phase
	Seq      int64       `json:"seq"`   // of the newest ledger entry
	Version  int64       `json:"version"`
	OpensAt  time.Time   `json:"opens_at,omitzero"`
	ClosesAt time.Time   `json:"closes_at,omitzero"`
	SKUs     []SKUReport `json:"skus"`
	Orders   OrderCounts `json:"orders"`
}

// SKUReport is what is known of one SKU.
type SKUReport struct {
	SKU string `json:"sku"`
	Units
}

// Report tells about the sale as it was when it was read.
func (s *State) Report() Report {
	r := Report{
		Sale: s.Name, Run: s.Run, State: s.Phase(s.Now), Seq: s.Seq, Version: s.Version,
		OpensAt: s.OpensAt, ClosesAt: s.ClosesAt, SKUs: []SKUReport{}, Orders: s.Orders,
	}
	for _, k := range s.SKUs {
		r.SKUs = append(r.SKUs, SKUReport{k.Name, s.Units[k.Name]})
	}
	return r
}
