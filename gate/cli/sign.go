package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/flashgate/flashgate/gate"
)

type signCommand struct {
	keysFlag
	BaseURL string        `required:"" placeholder:"URL" help:"Where PortOne reaches the gates, such as https://gate.example.com."`
	Sale    string        `required:"" placeholder:"SALE" help:"The sale's name."`
	Items   string        `required:"" placeholder:"SKU[:N],…" help:"What is bought."`
	Buyer   string        `placeholder:"ID" help:"Your own id for the person; needed where the sale limits buyers."`
	Order   string        `required:"" placeholder:"ID" help:"The order that the link serves: merchant_uid or paymentId."`
	Amount  *int64        `placeholder:"N" help:"What PortOne must charge, in its unit of amount; without it any amount passes that the prices allow."`
	Expires time.Duration `default:"30m" help:"How long the link serves (${default})."`
}

// Run prints a signed link.
func (c *signCommand) Run(env *environment) error {
	keys, err := c.keys()
	if err != nil {
		return err
	}
	if keys == nil {
		return errors.New("there is no key to sign with: set FLASHGATE_SIGNING_KEY or --signing-key-file to the gates' own")
	}
	if c.Expires < time.Second {
		return fmt.Errorf("--expires %s: must be at least 1s", c.Expires)
	}
	offer := gate.Offer{Sale: c.Sale, Items: c.Items, Buyer: c.Buyer, Order: c.Order, Expires: time.Now().Add(c.Expires)}
	if c.Amount != nil {
		offer.Amount = gate.Amount{Value: *c.Amount, Known: true}
	}
	link, err := keys.URL(c.BaseURL, offer)
	if err != nil {
		return err
	}
	if len(link) > gate.MaxLink {
		fmt.Fprintf(env.err, "flashgate: the link has %d characters; nobody says what PortOne does with more than %d\n", len(link), gate.MaxLink)
	}
	_, err = fmt.Fprintln(env.out, link)
	return err
}
