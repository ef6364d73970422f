package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/loadtest/launch"
)

// requestFlags say what is sent.
type requestFlags struct {
	SigningKey        *string             `hidden:"" secret:"value"`
	SigningKeyFile    *cmdline.SecretFile `placeholder:"FILE" help:"File with the gates' signing keys, ID:BASE64 with commas between; the first one signs. Or the keys themselves in FLASHGATE_SIGNING_KEY."`
	Target            []string            `required:"" placeholder:"URL,…" help:"The load balancer in front of the gates, or the gates, in turn, such as http://127.0.0.1:8080."`
	Sale              string              `required:"" placeholder:"SALE" help:"The sale's name. Better a rehearsal's run than the real one: what is sent is bought."`
	Items             []string            `placeholder:"SKU[:WEIGHT],…" help:"What buyers want, and how many of them; without it all of the sale's SKUs by their stock, as the admin API has them."`
	Amount            int64               `default:"1000" placeholder:"N" help:"What a unit costs, if the admin API names no price (${default})."`
	Shape             string              `default:"launch" enum:"launch,steady,ramp" help:"launch: a trickle for the first quarter, the peak when the sale opens, a tail; steady; or ramp (${default})."`
	Rate              float64             `default:"1000" placeholder:"N" help:"Requests a second at the peak (${default})."`
	Duration          time.Duration       `placeholder:"TIME" help:"How long to send; 10s if --demand is missing too."`
	Demand            int                 `placeholder:"N" help:"Orders to send, instead of --duration."`
	Buyers            int                 `placeholder:"N" help:"How many people the buyers are; without it each order has its own."`
	Carts             float64             `placeholder:"SHARE" help:"Share of the orders that buy two lines, from 0 to 1."`
	Duplicates        float64             `default:"0.1" placeholder:"SHARE" help:"Share of the orders that are sent again, at once or later (${default})."`
	Hostile           float64             `placeholder:"SHARE" help:"Share of the requests that PortOne would not send: broken bodies, unknown sales and SKUs, forged and stolen links."`
	Bodies            []string            `default:"v1" enum:"v1,v1-form,v2-2024-01-01,v2-2024-04-25" help:"PortOne's calls to send: v1, v1-form, v2-2024-01-01, v2-2024-04-25 (${default})."`
	WebhookSecret     *string             `hidden:"" secret:"value"`
	WebhookSecretFile *cmdline.SecretFile `placeholder:"FILE" help:"File with the secret (whsec_…) that signs V2's calls, as PortOne does. Or the secret itself in FLASHGATE_WEBHOOK_SECRET."`
	Expires           time.Duration       `default:"30m" help:"How long signed links serve (${default})."`
	Seed              uint64              `default:"1" placeholder:"N" help:"The same number draws the same buyers (${default})."`
	Prefix            string              `placeholder:"TEXT" help:"What order ids begin with; without it the time, so that each run has orders of its own."`
	Admin             string              `placeholder:"URL" help:"The admin API of a gate, to audit afterwards, such as http://127.0.0.1:9090."`
	AdminToken        *string             `hidden:"" secret:"value"`
	AdminTokenFile    *cmdline.SecretFile `placeholder:"FILE" help:"File with its bearer token, as TOKEN or NAME:TOKEN. Or the token itself in FLASHGATE_ADMIN_TOKEN."`
}

// admin returns nil where none is given.
func (f *requestFlags) admin(connections int) (*launch.Admin, error) {
	if f.Admin == "" {
		return nil, nil
	}
	token, err := firstSecret("admin-token", f.AdminToken, f.AdminTokenFile)
	if err != nil {
		return nil, err
	}
	if _, secret, named := strings.Cut(token, ":"); named {
		token = secret
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = connections
	return &launch.Admin{
		URL: f.Admin, Token: token,
		Client: &http.Client{Transport: transport, Timeout: 2 * time.Minute},
	}, nil
}

// sale returns the admin API, and the sale as that shows it; nil both where no admin API is
// given.
func (f *requestFlags) sale(ctx context.Context, connections int) (*launch.Admin, *launch.SaleView, error) {
	admin, err := f.admin(connections)
	if err != nil || admin == nil {
		return nil, nil, err
	}
	sale, err := admin.Sale(ctx, f.Sale)
	if err != nil {
		admin.Client.CloseIdleConnections()
		return nil, nil, err
	}
	return admin, sale, nil
}

// firstSecret returns the first of the secrets in a variable or a file; empty where
// neither is given.
func firstSecret(flag string, value *string, file *cmdline.SecretFile) (string, error) {
	text, err := cmdline.SecretText(flag, value, file)
	if err != nil || text == nil {
		return "", err
	}
	return gate.Items(*text)[0], nil
}

// plan draws the requests. The sale is as the admin API shows it, or nil.
func (f *requestFlags) plan(sale *launch.SaleView, now time.Time) (*launch.Plan, error) {
	keys, err := cmdline.Secret("signing-key", f.SigningKey, f.SigningKeyFile, gate.ParseKeys)
	if err != nil {
		return nil, err
	}
	options := launch.Options{
		Targets: f.Target, Sale: f.Sale, Shape: f.Shape, Rate: f.Rate, Duration: f.Duration, Demand: f.Demand,
		Buyers: f.Buyers, Carts: f.Carts, Duplicates: f.Duplicates, Hostile: f.Hostile, Bodies: f.Bodies,
		Expires: f.Expires, Seed: f.Seed, Prefix: f.Prefix,
	}
	if f.Duration == 0 && f.Demand == 0 {
		options.Duration = 10 * time.Second
	}
	if options.WebhookSecret, err = firstSecret("webhook-secret", f.WebhookSecret, f.WebhookSecretFile); err != nil {
		return nil, err
	}
	if f.Prefix == "" {
		options.Prefix = "LT" + strings.ToUpper(strconv.FormatInt(now.UnixMilli(), 36))
	}
	if options.Items, err = f.items(sale); err != nil {
		return nil, err
	}
	return launch.NewPlan(keys, options)
}

func (f *requestFlags) items(sale *launch.SaleView) (items []launch.Item, err error) {
	prices := map[string]int64{}
	if sale != nil {
		for _, sku := range sale.Settings.SKUs {
			prices[sku.Name] = f.Amount
			if sku.Price != nil {
				prices[sku.Name] = *sku.Price
			}
			items = append(items, launch.Item{SKU: sku.Name, Weight: max(1, sku.Stock), Price: prices[sku.Name]})
		}
	}
	if len(f.Items) == 0 {
		return items, nil
	}
	items = nil
	for _, text := range f.Items {
		name, weight, weighted := strings.Cut(text, ":")
		item := launch.Item{SKU: name, Weight: 1, Price: f.Amount}
		price, known := prices[name]
		switch {
		case known:
			item.Price = price
		case sale != nil:
			return nil, fmt.Errorf("--items %s: sale %s has no such SKU: %s", text, f.Sale,
				gate.DidYouMean(name, slices.Sorted(maps.Keys(prices))))
		}
		if weighted {
			if item.Weight, err = strconv.ParseInt(weight, 10, 32); err != nil {
				return nil, fmt.Errorf("--items %s: the weight must be a whole number", text)
			}
		}
		items = append(items, item)
	}
	return items, nil
}
