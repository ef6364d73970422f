package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/flashgate/flashgate/gate/portone"
	"github.com/flashgate/flashgate/gate/web"
)

// sourcesFlag is how serve is told where calls come from.
type sourcesFlag struct {
	TrustedProxies           []string `placeholder:"CIDR" help:"Load balancers whose X-Forwarded-For is believed, with commas between. A call counts as from the last address in it that is not one of these. Off by default, because anybody can write that header."`
	AllowFrom                []string `placeholder:"CIDR" help:"Where PortOne calls from, with commas between; portone stands for the addresses of its webhooks. Webhooks from elsewhere are refused, confirms are counted and logged. Off by default, because addresses can change unannounced; signatures are what proves who calls."`
	AllowFromStrict          bool     `help:"Refuse confirms from elsewhere too. Off by default, because PortOne does not say where they come from, and a wrong list stops every payment."`
	MaxConnectionsPerAddress int      `placeholder:"N" help:"Close connections over N from one address (of IPv6, one /64), but never those from --trusted-proxies and --allow-from. Off by default (0), because all confirms come from a few addresses."`
}

// sources checks the flags and returns what they say.
func (f *sourcesFlag) sources() (web.Sources, error) {
	proxies, err := parseNetworks(f.TrustedProxies)
	if err != nil {
		return web.Sources{}, fmt.Errorf("--trusted-proxies: %w", err)
	}
	for _, network := range proxies {
		if network.Bits() == 0 {
			return web.Sources{}, fmt.Errorf("--trusted-proxies: %s is everybody, and anybody can write "+
				"X-Forwarded-For: name the load balancers' own networks", network)
		}
	}
	var words []string
	for _, word := range f.AllowFrom {
		if strings.TrimSpace(word) != "portone" {
			words = append(words, word)
			continue
		}
		for _, addr := range portone.WebhookAddresses() {
			words = append(words, addr.String())
		}
	}
	from, err := parseNetworks(words)
	switch {
	case err != nil:
		return web.Sources{}, fmt.Errorf("--allow-from: %w", err)
	case f.AllowFromStrict && len(from) == 0:
		return web.Sources{}, errors.New("--allow-from-strict: needs --allow-from, to know where confirms " +
			"may come from")
	case f.MaxConnectionsPerAddress < 0:
		return web.Sources{}, fmt.Errorf("--max-connections-per-address %d: must be 0 (any number) or more",
			f.MaxConnectionsPerAddress)
	}
	return web.Sources{Proxies: proxies, Allowed: from, Strict: f.AllowFromStrict}, nil
}

// parseNetworks reads networks, and addresses as the networks of one.
func parseNetworks(words []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, word := range words {
		word = strings.TrimSpace(word)
		network, err := netip.ParsePrefix(word)
		if addr, notAddr := netip.ParseAddr(word); notAddr == nil && addr.Zone() == "" {
			network, err = addr.Prefix(addr.BitLen())
		}
		if err != nil || network.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is no address and no network: write them as 192.0.2.1, 10.0.0.0/8 or fd00::/8",
				word)
		}
		networks = append(networks, network)
	}
	return networks, nil
}
