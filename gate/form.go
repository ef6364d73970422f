package gate

import "time"

// SettingsForm is a sale's settings in the form of a sale file. A sale file does not set Paused.
type SettingsForm struct {
	OpensAt         time.Time         `json:"opens_at"`
	ClosesAt        time.Time         `json:"closes_at"`
	Hold            string            `json:"hold"`
	PerBuyer        int64             `json:"per_buyer,omitempty"`
	Accept          []string          `json:"accept,omitempty"`
	AmountOptional  bool              `json:"amount_optional,omitempty"`
	AutoRefund      bool              `json:"auto_refund,omitempty"`
	RefundBrake     string            `json:"refund_brake,omitempty"`
	Restock         string            `json:"restock,omitempty"`
	VirtualAccounts string            `json:"virtual_accounts,omitempty"`
	DepositLimit    string            `json:"deposit_limit,omitempty"`
	ReconcileFor    string            `json:"reconcile_for,omitempty"`
	ReleaseUnproven bool              `json:"release_unproven,omitempty"`
	Notify          string            `json:"notify,omitempty"`
	Healthy         string            `json:"healthy,omitempty"`
	Ask             string            `json:"ask,omitempty"`
	ShowStock       bool              `json:"show_stock,omitempty"`
	Messages        map[string]string `json:"messages,omitempty"`
	SKUs            []SKU             `json:"skus"`
}

// SaleForm is a sale in the form of a sale file's entry.
type SaleForm struct {
	Name string `json:"name"`
	Run  int64  `json:"run"`
	SettingsForm
}

// Form returns the settings in the form of a sale file.
func (s *Settings) Form() SettingsForm {
	form := SettingsForm{
		OpensAt: s.OpensAt, ClosesAt: s.ClosesAt, Hold: s.Hold.String(), PerBuyer: s.PerBuyer, Accept: s.Accept,
		AmountOptional: s.AmountOptional, AutoRefund: s.AutoRefund, ReleaseUnproven: s.ReleaseUnproven,
		Notify:  s.Notify,
		Healthy: s.Healthy, Ask: s.Ask, ShowStock: s.ShowStock, Messages: s.Messages, SKUs: s.SKUs,
	}
	if s.Unbraked {
		form.RefundBrake = "off"
	}
	if s.Withhold {
		form.Restock = "withhold"
	}
	if s.RefuseDeposits {
		form.VirtualAccounts = "refuse"
	}
	if s.DepositLimit > 0 {
		form.DepositLimit = s.DepositLimit.String()
	}
	switch {
	case s.ReconcileFor == NeverReconcile:
		form.ReconcileFor = ReconcileNever
	case s.ReconcileFor > 0:
		form.ReconcileFor = s.ReconcileFor.String()
	}
	return form
}

// ReconcileNever is the value of reconcile_for in a sale file that turns the comparison with
// PortOne's lists of changes off.
const ReconcileNever = "off"

// WithoutSecrets returns the settings with the secret parts of URLs hidden, so that anybody may see them.
func (f SettingsForm) WithoutSecrets() SettingsForm {
	f.Notify, f.Healthy, f.Ask = HideSecrets(f.Notify), HideSecrets(f.Healthy), HideSecrets(f.Ask)
	return f
}

// Form returns the sale in the form of a sale file's entry.
func (s *Sale) Form() SaleForm {
	return SaleForm{Name: s.Name, Run: s.Run, SettingsForm: s.Settings.Form()}
}
