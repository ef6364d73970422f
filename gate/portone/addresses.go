package portone

import "net/netip"

// WebhookAddresses returns the addresses that PortOne documents for its webhooks. It documents none
// for its confirm calls.
func WebhookAddresses() []netip.Addr {
	return []netip.Addr{
		netip.AddrFrom4([4]byte{52, 78, 100, 19}),
		netip.AddrFrom4([4]byte{52, 78, 48, 223}),
		netip.AddrFrom4([4]byte{52, 78, 5, 241}), // the one of V2
	}
}
