package launch

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/flashgate/flashgate/gate"
)

// order is what one buyer wants.
type order struct {
	id, buyer string
	lines     []gate.Line // sorted by SKU
	amount    int64
	body      string // of Bodies()
}

func (o *Options) orderID(number int) string { return fmt.Sprintf("%s%07d", o.Prefix, number) }

// order returns the order with the given number, which is the same each time.
func (p *Plan) order(number int) order {
	random := rand.New(rand.NewPCG(p.opt.Seed, uint64(number)+1))
	buyer := number
	if p.opt.Buyers > 0 {
		buyer = random.IntN(p.opt.Buyers)
	}
	o := order{
		id: p.opt.orderID(number), buyer: "buyer-" + strconv.Itoa(buyer),
		body: p.opt.Bodies[random.IntN(len(p.opt.Bodies))],
	}
	wanted := []Item{p.item(random, "")}
	if random.Float64() < p.opt.Carts {
		wanted = append(wanted, p.item(random, wanted[0].SKU))
	}
	for _, item := range wanted {
		o.amount += item.Price
		if i := slices.IndexFunc(o.lines, func(l gate.Line) bool { return l.SKU == item.SKU }); i >= 0 {
			o.lines[i].Quantity++
			continue
		}
		o.lines = append(o.lines, gate.Line{SKU: item.SKU, Quantity: 1})
	}
	slices.SortFunc(o.lines, func(a, b gate.Line) int { return strings.Compare(a.SKU, b.SKU) })
	return o
}

// item draws one by weight, another one than the one named where there is another.
func (p *Plan) item(random *rand.Rand, other string) Item {
	items, weights := p.opt.Items, p.weights
	if i := slices.IndexFunc(items, func(item Item) bool { return item.SKU == other }); i >= 0 && len(items) > 1 {
		weights -= items[i].Weight
		items = slices.Delete(slices.Clone(items), i, i+1)
	}
	n := random.Int64N(weights)
	for _, item := range items {
		if n -= item.Weight; n < 0 {
			return item
		}
	}
	return items[len(items)-1]
}

func (o *order) items() string {
	var parts []string
	for _, l := range o.lines {
		if l.Quantity == 1 {
			parts = append(parts, l.SKU)
		} else {
			parts = append(parts, fmt.Sprintf("%s:%d", l.SKU, l.Quantity))
		}
	}
	return strings.Join(parts, ",")
}

// Target returns the request with the given number, as it is sent at that time:
// links and signatures have it in them.
func (p *Plan) Target(number int, now time.Time) (vegeta.Target, error) {
	r := p.requests[number]
	o := p.order(int(r.order))
	sale := p.opt.Sale
	switch r.kind {
	case unknownSale:
		sale = "no-such-sale"
	case unknownSKU:
		o.lines = []gate.Line{{SKU: "no-such-sku", Quantity: 1}}
	}
	link, err := p.link(p.opt.Targets[number%len(p.opt.Targets)], sale, &o, now)
	if err != nil {
		return vegeta.Target{}, fmt.Errorf("the link of order %s: %w", o.id, err)
	}
	switch r.kind {
	case forged:
		link = strings.Replace(link, "buyer=", "buyer=x", 1)
	case stolen:
		o.id += "x"
	}
	return p.send(link, &o, now, strconv.Itoa(number), r.kind == broken)
}

// send returns the call that PortOne makes of the link, or one whose body is cut off.
func (p *Plan) send(link string, o *order, now time.Time, number string, cutOff bool) (vegeta.Target, error) {
	contentType, body, err := o.confirm(now)
	if err != nil {
		return vegeta.Target{}, fmt.Errorf("the body of order %s: %w", o.id, err)
	}
	if cutOff {
		contentType, body = "application/json", body[:len(body)/2]
	}
	header := http.Header{"Content-Type": {contentType}}
	if p.hook != nil && strings.HasPrefix(o.body, "v2") {
		if err := p.sign(header, "whid_"+o.id+"_"+number, now, body); err != nil {
			return vegeta.Target{}, err
		}
	}
	return vegeta.Target{Method: http.MethodPost, URL: link, Body: body, Header: header}, nil
}

func (p *Plan) link(target, sale string, o *order, now time.Time) (string, error) {
	if p.keys == nil {
		return target + "/confirm/" + sale + "?items=" + o.items() + "&buyer=" + o.buyer, nil
	}
	return p.keys.URL(target, gate.Offer{
		Sale: sale, Items: o.items(), Buyer: o.buyer, Order: o.id,
		Amount: gate.Amount{Value: o.amount, Known: true}, Expires: now.Add(p.opt.Expires),
	})
}

// attempt is the one try to pay the order.
func (o *order) attempt() string { return "imp_" + o.id }

// confirm returns the call that PortOne makes for the order.
func (o *order) confirm(now time.Time) (contentType string, body []byte, err error) {
	type object = map[string]any
	attempt := o.attempt()
	var call object
	switch o.body {
	case "v1-form":
		form := url.Values{"imp_uid": {attempt}, "merchant_uid": {o.id}, "amount": {strconv.FormatInt(o.amount, 10)}}
		return "application/x-www-form-urlencoded", []byte(form.Encode()), nil
	case "v2-2024-01-01":
		call = object{"payment_id": o.id, "tx_id": attempt, "total_amount": o.amount}
	case "v2-2024-04-25":
		call = object{
			"type": "Transaction.Confirm", "timestamp": now.UTC().Format("2006-01-02T15:04:05.000Z"),
			"data": object{
				"paymentId": o.id, "transactionId": attempt, "totalAmount": o.amount,
			},
		}
	default:
		call = object{"imp_uid": attempt, "merchant_uid": o.id, "amount": o.amount}
	}
	body, err = json.Marshal(call)
	return "application/json", body, err
}

// sign sets the headers of Standard Webhooks.
func (p *Plan) sign(header http.Header, id string, now time.Time, body []byte) error {
	signature, err := p.hook.Sign(id, now, body)
	if err != nil {
		return fmt.Errorf("signing a call of V2: %w", err)
	}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	header.Set("webhook-signature", signature)
	return nil
}

// WriteTargets writes the requests in vegeta's JSON format, one a line. What is
// signed in them is signed as of now.
func (p *Plan) WriteTargets(w io.Writer, now time.Time) error {
	encode := vegeta.NewJSONTargetEncoder(w)
	for number := range p.requests {
		target, err := p.Target(number, now)
		if err != nil {
			return err
		}
		if err := encode(&target); err != nil {
			return fmt.Errorf("writing a target: %w", err)
		}
	}
	return nil
}
