package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/store"
)

type signCommand struct {
	keysFlag
	Redis string `placeholder:"URL" secret:"password" help:"Redis with the sales: then a link that the sale would refuse is not made. Without it, and where Redis does not answer within 2s, nobody looks."`
	redisAccess
	BaseURL string        `required:"" placeholder:"URL" help:"Where PortOne reaches the gates, such as https://gate.example.com."`
	Sale    string        `required:"" placeholder:"SALE" help:"The sale's name."`
	Items   string        `required:"" placeholder:"SKU[:N],…" help:"What is bought."`
	Buyer   string        `placeholder:"ID" help:"Your own id for the person; needed where the sale limits buyers."`
	Order   string        `required:"" placeholder:"ID" help:"The order that the link serves: merchant_uid or paymentId."`
	Amount  *int64        `placeholder:"N" help:"What PortOne must charge, in its unit of amount; without it any amount passes that the prices allow."`
	Expires time.Duration `default:"30m" help:"How long the link serves (${default})."`
}

// signTimeout bounds the look at the sale: links must be made while Redis is away.
const signTimeout = 2 * time.Second

// Run prints a signed link.
func (c *signCommand) Run(ctx context.Context, env *environment) error {
	keys, err := c.keys()
	if err != nil {
		return err
	}
	if keys == nil {
		return errors.New("there is no key to sign with: set FLASHGATE_SIGNING_KEY or --signing-key-file to " +
			"the gates' own")
	}
	if c.Expires < time.Second {
		return fmt.Errorf("--expires %s: must be at least 1s", c.Expires)
	}
	offer := gate.Offer{
		Sale: c.Sale, Items: c.Items, Buyer: c.Buyer, Order: c.Order,
		Expires: time.Now().Add(c.Expires),
	}
	if c.Amount != nil {
		offer.Amount = gate.Amount{Value: *c.Amount, Known: true}
	}
	link, err := keys.URL(c.BaseURL, offer)
	if err != nil {
		return err
	}
	if err := c.look(ctx, env, &offer); err != nil {
		return err
	}
	if len(link) > gate.MaxLink {
		fmt.Fprintf(env.err, "flashgate: the link has %d characters; nobody says what PortOne does with more than %d\n",
			len(link), gate.MaxLink)
	}
	_, err = fmt.Fprintln(env.out, link)
	return err
}

// look returns why gates would refuse the offer, where it is known in which Redis the
// sale is. What cannot be looked at is no reason to make no link.
func (c *signCommand) look(ctx context.Context, env *environment, offer *gate.Offer) error {
	if c.Redis == "" || c.Redis == embeddedRedis {
		return nil
	}
	options := store.Options{Who: "sign", Timeout: signTimeout}
	var err error
	if options.Credentials, err = c.redisAccess.read(); err != nil {
		return err
	}
	s, err := store.Open(c.Redis, store.Deps{Log: slog.New(slog.DiscardHandler)}, options)
	if err != nil {
		return fmt.Errorf("--redis: %w", err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	state, err := gate.FindSale(ctx, s, offer.Sale)
	if err == nil {
		err = lane.CheckOffer(&state, offer)
	}
	isMissing, isRefused := errors.As(err, new(*gate.MissingError)), errors.As(err, new(*lane.OfferError))
	switch {
	case err == nil:
		return nil
	case isRefused, errors.Is(err, gate.ErrNoSale) && !isMissing:
		return fmt.Errorf("gates would refuse this link, so none is made: %w", err)
	}
	fmt.Fprintf(env.err, "flashgate: warning: the link is made without a look at the sale: %v\n", err)
	return nil
}
