package main

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/loadtest/standin"
)

// standinFlags are those of a stand-in for the shop's own server.
type standinFlags struct {
	Shop          string        `env:"FLASHGATE_SIM_SHOP" placeholder:"ADDR" help:"Also stand in for the shop's own server, at this address, such as 127.0.0.1:8082. A sale with ask: gets its last word there. /asks lists the questions."`
	ShopSecret    string        `default:"whsec_Zm9yIHRlc3RzIG9ubHksIGJldHdlZW4gc2hvcCBhbmQgZ2F0ZXM=" env:"FLASHGATE_SIM_SHOP_SECRET" placeholder:"whsec_…" help:"The gates' notify secret, which must have signed each question (${default})."`
	ShopTakes     time.Duration `placeholder:"TIME" help:"How long the shop takes for each answer."`
	ShopRefuses   float64       `placeholder:"SHARE" help:"Share of the orders that it refuses with a reason; from 0 to 1, as each share of the shop's; 0 by default."`
	ShopSlow      float64       `placeholder:"SHARE" help:"Orders that it says yes to after --shop-slow-by."`
	ShopSlowBy    time.Duration `default:"1s" help:"How long a slow answer of the shop takes (${default}); the gates wait for about 2s."`
	ShopHangs     float64       `placeholder:"SHARE" help:"Orders that it never answers."`
	ShopFails     float64       `placeholder:"SHARE" help:"Orders that it answers with 500."`
	ShopDownAfter time.Duration `placeholder:"TIME" help:"How long after the first question it goes down. It then closes connections without an answer, those to its health URL too."`
	ShopDownFor   time.Duration `placeholder:"TIME" help:"How long it is down; without it never."`
	ShopDownEvery time.Duration `placeholder:"TIME" help:"How often it goes down; without it once."`
}

func (f *standinFlags) options(seed uint64) standin.Options {
	return standin.Options{Secret: f.ShopSecret, Seed: seed, Plan: standin.Plan{
		Takes: f.ShopTakes, Refuses: f.ShopRefuses, Slow: f.ShopSlow, SlowBy: f.ShopSlowBy, Hangs: f.ShopHangs,
		Fails:     f.ShopFails,
		DownAfter: f.ShopDownAfter, DownFor: f.ShopDownFor, DownEvery: f.ShopDownEvery,
	}}
}

func (f *standinFlags) validate() error {
	options := f.options(0)
	if err := options.Check(); err != nil {
		return err
	}
	if options.Plan.SlowBy = 0; f.Shop == "" && options.Plan != (standin.Plan{}) {
		return errors.New("--shop: give the address where the stand-in for the shop listens, such as 127.0.0.1:8082, " +
			"or none of the other --shop-… flags")
	}
	return nil
}

// hint says what to put into the sale, and what to set in the gate.
func (f *standinFlags) hint(addr net.Addr) string {
	return fmt.Sprintf(`A stand-in for the shop's server is at %[1]s. For the sale, both or either:

  healthy: %[1]s/healthy
  ask: %[1]s/ask

For the gate, which signs its questions with it:

  export FLASHGATE_NOTIFY_SECRET=%[2]s

What it was asked: curl -s %[1]s/asks
Down for a while:  curl -s -X POST '%[1]s/down?for=5s'

`, "http://"+cmdline.Reachable(addr), f.ShopSecret)
}
