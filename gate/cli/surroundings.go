package cli

import (
	"context"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/shop"
)

// surroundings are what this gate depends on and can be tried without changing
// anything: each where it is given.
func (p *parts) surroundings() (all []check) {
	add := func(given bool, name string, subjects func() []string, try func(context.Context, string) error) {
		if given {
			all = append(all, check{name, subjects, try})
		}
	}
	one, two, redis, forward := p.payments.Address(gate.V1), p.payments.Address(gate.V2), p.store.Hosts(),
		shop.Origin(p.flags.ForwardWebhooks)
	add(one != "", gate.CheckPortOneV1, only(one),
		func(ctx context.Context, _ string) error { return p.payments.Check(ctx, gate.V1) })
	add(two != "", gate.CheckPortOneV2, only(two),
		func(ctx context.Context, _ string) error { return p.payments.Check(ctx, gate.V2) })
	add(!p.flags.embedded(), gate.CheckClock, only(redis),
		func(ctx context.Context, _ string) error { return p.store.CheckClock(ctx) })
	add(!p.flags.embedded(), gate.CheckPersistence, only(redis),
		func(ctx context.Context, _ string) error { return p.store.CheckPersistence(ctx) })
	add(p.flags.WaitReplicas > 0, gate.CheckMinReplicas, only(redis),
		func(ctx context.Context, _ string) error { return p.store.CheckMinReplicas(ctx) })
	// Without a secret no message and no question is sent; others warn of that.
	add(p.notify != nil, gate.CheckNotify, p.origins(func(s *gate.Settings) string { return s.Notify }), shop.Reach)
	add(p.notify != nil, gate.CheckAsk, p.origins(func(s *gate.Settings) string { return s.Ask }), shop.Reach)
	add(forward != "", gate.CheckForward, only(forward), shop.Reach)
	return all
}

func only(subject string) func() []string { return func() []string { return []string{subject} } }

// origins returns the servers of a URL that sales may name.
func (p *parts) origins(of func(*gate.Settings) string) func() []string {
	return func() (origins []string) {
		for _, settings := range p.gate.Sales() {
			if url := of(settings); url != "" {
				origins = append(origins, shop.Origin(url))
			}
		}
		return origins
	}
}
