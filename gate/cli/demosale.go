package cli

import (
	"fmt"
	"net"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
)

// demoSale is on sale where neither Redis nor a sale is given. It takes every
// confirm call that PortOne documents, also one of V1 where V2's must be signed, and
// one that says no amount.
func demoSale(now time.Time) gate.Sale {
	return gate.Sale{Name: "demo", Run: 1, Settings: gate.Settings{
		OpensAt: now.Add(-time.Minute).Truncate(time.Second), ClosesAt: now.AddDate(0, 0, 30).Truncate(time.Second),
		Hold: 5 * time.Minute, Accept: gate.VersionNames(), AmountOptional: true,
		SKUs: []gate.SKU{{Name: "ticket", Stock: 100}},
	}}
}

// demoHint is a command line that buys a ticket of the demo sale. With keys its
// link is signed.
func demoHint(addr net.Addr, keys *gate.Keys) string {
	host := cmdline.Reachable(addr)
	link := "http://" + host + "/confirm/demo?items=ticket&buyer=alice"
	again := "Again with another merchant_uid takes another one; with the same, none."
	if keys != nil {
		offer := gate.Offer{
			Sale: "demo", Items: "ticket", Buyer: "alice", Order: "order_1",
			Expires: time.Now().Add(time.Hour),
		}
		if signed, err := keys.URL("http://"+host, offer); err == nil {
			link, again = signed, "The link is signed for order_1 and serves for an hour: flashgate sign makes others."
		}
	}
	return fmt.Sprintf(`
The sale "demo" has 100 units of "ticket". PortOne's confirm call for one of them:

  curl -i '%s' -H 'Content-Type: application/json' -d '{"imp_uid":"imp_1","merchant_uid":"order_1","amount":1000}'

%s

`, link, again)
}
