package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/shop"
)

// usualCurrency is that of --currency where it is not given.
const usualCurrency = "KRW"

// portoneFlag is how serve reaches PortOne's REST APIs, and what it makes of payments.
type portoneFlag struct {
	portoneCredentials
	Currency        string        `default:"KRW" placeholder:"CODE" help:"Currency that payments must be in to count, by its ISO 4217 code (${default}). A payment in another currency is refund due, and no gate cancels it."`
	ForwardWebhooks string        `placeholder:"URL" secret:"query" help:"Pass each webhook on to this URL of the shop, as it came. For a shop that needs PortOne's webhooks too, since they go to the gates. A URL with a query belongs in FLASHGATE_FORWARD_WEBHOOKS."`
	FirstLook       time.Duration `default:"20s" help:"How long after a hold its payment is first looked up (${default}). Later look-ups are at least half of that apart."`
	Grace           time.Duration `default:"1m" help:"How long after a hold has ended its units stay taken, for a payment that was begun in time (${default})."`
	TestPayments    bool          `help:"Let payments of a test channel count, for a rehearsal. They move no money."`
}

// portoneCredentials are how commands reach PortOne's REST APIs.
type portoneCredentials struct {
	PortoneV1Key        string              `name:"portone-v1-key" env:"FLASHGATE_PORTONE_V1_KEY" placeholder:"KEY" help:"imp_key of PortOne V1's REST API, from its console. With credentials of V1, V2 or both, gates look up how payments ended."`
	PortoneV1Secret     *string             `name:"portone-v1-secret" env:"FLASHGATE_PORTONE_V1_SECRET" hidden:"" secret:"value"`
	PortoneV1SecretFile *cmdline.SecretFile `name:"portone-v1-secret-file" env:"FLASHGATE_PORTONE_V1_SECRET_FILE" placeholder:"FILE" help:"File with imp_secret. Or imp_secret itself in FLASHGATE_PORTONE_V1_SECRET."`
	PortoneV1URL        string              `name:"portone-v1-url" env:"FLASHGATE_PORTONE_V1_URL" placeholder:"URL" help:"Another address of V1's REST API, such as a simulator's."`
	PortoneV2Secret     *string             `name:"portone-v2-secret" env:"FLASHGATE_PORTONE_V2_SECRET" hidden:"" secret:"value"`
	PortoneV2SecretFile *cmdline.SecretFile `name:"portone-v2-secret-file" env:"FLASHGATE_PORTONE_V2_SECRET_FILE" placeholder:"FILE" help:"File with the API secret of PortOne V2. Or the API secret itself in FLASHGATE_PORTONE_V2_SECRET."`
	PortoneV2Store      string              `name:"portone-v2-store" env:"FLASHGATE_PORTONE_V2_STORE" placeholder:"ID" help:"Id of the shop's store. Confirm calls of other stores are refused, their webhooks and payments ignored."`
	PortoneV2URL        string              `name:"portone-v2-url" env:"FLASHGATE_PORTONE_V2_URL" placeholder:"URL" help:"Another address of V2's REST API, such as a simulator's."`
	PortoneRate         float64             `default:"50" placeholder:"N" help:"Calls a second to each of PortOne's REST APIs (${default})."`
}

func (f *portoneFlag) check() error {
	if err := gate.CheckCurrency(f.Currency); err != nil {
		return fmt.Errorf("--currency %q: %w", f.Currency, err)
	}
	if f.FirstLook < 100*time.Millisecond || f.FirstLook > gate.LongestLook {
		return fmt.Errorf("--first-look %s: must be between 100ms and 1h", f.FirstLook)
	}
	if f.Grace < 0 || f.Grace > time.Hour {
		return fmt.Errorf("--grace %s: must be between 0s and 1h", f.Grace)
	}
	if f.ForwardWebhooks != "" {
		if err := gate.CheckURL(f.ForwardWebhooks); err != nil {
			return fmt.Errorf("--forward-webhooks: %w", err)
		}
	}
	return nil
}

// forwarder returns nil where webhooks are not passed on.
func (f *portoneFlag) forwarder(metrics *shop.Metrics) *shop.Forwarder {
	if f.ForwardWebhooks == "" {
		return nil
	}
	return shop.NewForwarder(f.ForwardWebhooks, metrics)
}

// client returns nil where there are no credentials.
func (f *portoneCredentials) client(registry *prometheus.Registry, log *slog.Logger) (*portone.Client, error) {
	v1, err := cmdline.SecretText("portone-v1-secret", f.PortoneV1Secret, f.PortoneV1SecretFile)
	if err != nil {
		return nil, err
	}
	v2, err := cmdline.SecretText("portone-v2-secret", f.PortoneV2Secret, f.PortoneV2SecretFile)
	if err != nil {
		return nil, err
	}
	if err := f.fit(v1, v2); err != nil || v1 == nil && v2 == nil {
		return nil, err
	}
	options := portone.Options{Rate: f.PortoneRate}
	if v1 != nil {
		options.V1 = portone.V1Options{BaseURL: f.PortoneV1URL, Key: f.PortoneV1Key, Secret: *v1}
	}
	if v2 != nil {
		options.V2 = portone.V2Options{BaseURL: f.PortoneV2URL, Secret: *v2, Store: portone.Store(f.PortoneV2Store)}
	}
	deps := portone.Deps{Metrics: portone.NewMetrics(registry), Now: time.Now, Log: log}
	client, err := portone.NewClient(deps, options)
	if err != nil {
		return nil, fmt.Errorf("--portone-…: %w", err)
	}
	return client, nil
}

// fit says which flags are there without those that they are of no use without.
func (f *portoneCredentials) fit(v1, v2 *string) error {
	strange := gate.Strange(f.PortoneV2Store, gate.Visible)
	switch {
	case (v1 != nil) != (f.PortoneV1Key != ""):
		return errors.New("--portone-v1-key and FLASHGATE_PORTONE_V1_SECRET (or --portone-v1-secret-file): give both")
	case v1 == nil && f.PortoneV1URL != "":
		return errors.New("--portone-v1-url: nothing is looked up there without --portone-v1-key and " +
			"FLASHGATE_PORTONE_V1_SECRET (or --portone-v1-secret-file)")
	case v2 == nil && (f.PortoneV2URL != "" || f.PortoneV2Store != ""):
		return errors.New("--portone-v2-url and --portone-v2-store: nothing is looked up without " +
			"FLASHGATE_PORTONE_V2_SECRET (or --portone-v2-secret-file)")
	case strange != "":
		return fmt.Errorf("--portone-v2-store has %s: copy the store's id from PortOne's console", strange)
	case (v1 != nil || v2 != nil) && !(f.PortoneRate > 0 && f.PortoneRate <= 10_000):
		return fmt.Errorf("--portone-rate %v: must be more than 0, and at most 10000", f.PortoneRate)
	}
	return nil
}
