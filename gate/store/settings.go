package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// The settings register is kept as JSON. Settings that scripts read are kept in fields beside it,
// written by the same script.

// settingsJSON is the stored form. Times are milliseconds.
type settingsJSON struct {
	OpensAt         int64             `json:"opens_ms"`
	ClosesAt        int64             `json:"closes_ms"`
	Hold            int64             `json:"hold_ms"`
	PerBuyer        int64             `json:"per_buyer"`
	Paused          bool              `json:"paused"`
	Accept          []string          `json:"accept,omitempty"`
	AmountOptional  bool              `json:"amount_optional,omitempty"`
	Messages        map[string]string `json:"messages,omitempty"`
	AutoRefund      bool              `json:"auto_refund,omitempty"`
	Unbraked        bool              `json:"unbraked,omitempty"`
	Withhold        bool              `json:"withhold,omitempty"`
	RefuseDeposits  bool              `json:"refuse_deposits,omitempty"`
	DepositLimit    int64             `json:"deposit_limit_ms,omitempty"`
	ReconcileFor    int64             `json:"reconcile_for_ms,omitempty"`
	ReleaseUnproven bool              `json:"release_unproven,omitempty"`
	Notify          string            `json:"notify,omitempty"`
	Healthy         string            `json:"healthy,omitempty"`
	Ask             string            `json:"ask,omitempty"`
	ShowStock       bool              `json:"show_stock,omitempty"`
	SKUs            []gate.SKU        `json:"skus"`
}

// settingsArgs are the arguments that create and configure share: the settings that scripts read,
// the JSON, then name and stock of each SKU.
func settingsArgs(s *gate.Settings) ([]any, error) {
	text, err := json.Marshal(settingsJSON{
		OpensAt: s.OpensAt.UnixMilli(), ClosesAt: s.ClosesAt.UnixMilli(), Hold: s.Hold.Milliseconds(),
		PerBuyer: s.PerBuyer, Paused: s.Paused, Accept: s.Accept, AmountOptional: s.AmountOptional,
		AutoRefund: s.AutoRefund, Unbraked: s.Unbraked, Withhold: s.Withhold, RefuseDeposits: s.RefuseDeposits,
		ReleaseUnproven: s.ReleaseUnproven,
		DepositLimit:    s.DepositLimit.Milliseconds(), ReconcileFor: s.ReconcileFor.Milliseconds(), Notify: s.Notify,
		Healthy: s.Healthy, Ask: s.Ask, ShowStock: s.ShowStock, Messages: s.Messages, SKUs: s.SKUs,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the settings: %w", err)
	}
	args := []any{
		s.OpensAt.UnixMilli(), s.ClosesAt.UnixMilli(), s.Hold.Milliseconds(), s.PerBuyer,
		flag(s.Paused), flag(s.Unbraked), text,
	}
	for _, k := range s.SKUs {
		args = append(args, k.Name, k.Stock)
	}
	return args, nil
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

func (p *parser) settings(text string) gate.Settings {
	var s settingsJSON
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		p.Fail("settings: %w", err)
	}
	return gate.Settings{
		OpensAt: time.UnixMilli(s.OpensAt), ClosesAt: time.UnixMilli(s.ClosesAt),
		Hold:     time.Duration(s.Hold) * time.Millisecond,
		PerBuyer: s.PerBuyer, Paused: s.Paused, Accept: s.Accept, AmountOptional: s.AmountOptional,
		AutoRefund: s.AutoRefund, Unbraked: s.Unbraked, Withhold: s.Withhold, RefuseDeposits: s.RefuseDeposits,
		ReleaseUnproven: s.ReleaseUnproven,
		DepositLimit:    time.Duration(s.DepositLimit) * time.Millisecond,
		ReconcileFor:    time.Duration(s.ReconcileFor) * time.Millisecond,
		Notify:          s.Notify, Healthy: s.Healthy, Ask: s.Ask, ShowStock: s.ShowStock, Messages: s.Messages,
		SKUs: s.SKUs,
	}
}

// settingsEntry reads run, version, the settings after and the settings before
// from a ledger entry. Either may be missing.
func (p *parser) settingsEntry(text string) (after *gate.SettingsEntry, before *gate.Settings) {
	f := strings.Split(text, gate.FieldSep)
	if len(f) != 4 {
		p.Fail("settings %q are not run, version, settings and the settings before", text)
		return nil, nil
	}
	run, version := p.Int(f[0]), p.Int(f[1])
	if f[2] != "" {
		after = &gate.SettingsEntry{Run: run, Version: version, Settings: p.settings(f[2])}
	}
	if f[3] != "" {
		s := p.settings(f[3])
		before = &s
	}
	return after, before
}

// parseState reads a sale's hash. If settings are given, they are the sale's, and the hash's are
// not read.
func parseState(name string, times gate.Times, hash map[string]string, settings *gate.Settings) (gate.State, error) {
	var p parser
	s := gate.State{Times: times, Seq: p.Int(hash["seq"]), Term: p.Int(hash["term"])}
	s.Name, s.Run = name, p.Int(hash["run"])
	s.Deleted = p.Time(hash["deleted"])
	if s.Deleted.IsZero() {
		s.Version = p.Int(hash["version"])
		if settings == nil {
			settings = new(p.settings(hash["settings"]))
		}
		s.Settings = *settings
		s.Orders = p.counts(hash["orders"])
		s.Brake = parseBrake(hash)
		s.Units = map[string]gate.Units{}
		for field, value := range hash {
			if sku, ok := strings.CutPrefix(field, "sku:"); ok {
				s.Units[sku] = p.units(value)
			}
		}
	}
	if p.Err != nil {
		return s, fmt.Errorf("read what Redis holds of sale %s: %w", name, p.Err)
	}
	return s, nil
}
