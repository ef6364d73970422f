package gate

import "time"

// EntryView is a ledger entry as programs see it. It holds results, never differences.
type EntryView struct {
	Seq    int64            `json:"seq"`
	Term   int64            `json:"term"`
	Time   time.Time        `json:"time"`
	Kind   string           `json:"kind"`
	Who    string           `json:"who"`
	Units  map[string]Units `json:"units"`  // after the entry, for each SKU whose units it moved
	Counts OrderCounts      `json:"counts"` // after the entry
	Orders []OrderView      `json:"orders"` // as the entry leaves them, in the order of the changes

	// Extended are indexes into Orders, from 0, of those that only got a later deadline.
	Extended []int `json:"extended,omitempty"`

	// Run, Version and Settings are there if the entry changed settings; Before if it replaced or
	// deleted any.
	Run      int64         `json:"run,omitempty"`
	Version  int64         `json:"version,omitempty"`
	Settings *SettingsView `json:"settings,omitempty"`
	Before   *SettingsView `json:"before,omitempty"`
}

// SettingsView is all of a sale's settings.
type SettingsView struct {
	SettingsForm
	Paused bool `json:"paused"`
}

// View shows the settings.
func (s *Settings) View() SettingsView { return SettingsView{s.Form(), s.Paused} }

// WithoutSecrets returns the entry with the secret parts of URLs hidden, so that anybody may see it.
func (r EntryView) WithoutSecrets() EntryView {
	r.Settings, r.Before = r.Settings.withoutSecrets(), r.Before.withoutSecrets()
	return r
}

func (r *SettingsView) withoutSecrets() *SettingsView {
	if r == nil {
		return nil
	}
	return &SettingsView{r.SettingsForm.WithoutSecrets(), r.Paused}
}

// View shows the entry.
func (e *Entry) View() EntryView {
	r := EntryView{
		Seq: e.Seq, Term: e.Term, Time: e.Time, Kind: e.Kind, Who: e.Who, Units: e.Counters, Counts: e.Counts,
		Orders: make([]OrderView, len(e.Orders)), Extended: e.Extended,
	}
	for i := range e.Orders {
		r.Orders[i] = e.Orders[i].View()
	}
	if s := e.Settings; s != nil {
		r.Run, r.Version, r.Settings = s.Run, s.Version, new(s.Settings.View())
	}
	if e.Before != nil {
		r.Before = new(e.Before.View())
	}
	return r
}
