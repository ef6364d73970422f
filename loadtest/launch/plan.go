package launch

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/loadtest/chance"
)

// Item is a SKU that buyers want.
type Item struct {
	SKU    string
	Weight int64 // how many want it, beside the other items' weights
	Price  int64 // of one unit, in PortOne's unit of amount
}

// Options say what is sent. The same options give the same orders.
type Options struct {
	Targets []string // where the gates are reached, such as https://gate.example.com; in turn where there are several
	Sale    string
	Items   []Item

	Shape    string        // of Shapes
	Rate     float64       // requests a second at the peak
	Duration time.Duration // of the run; without it the run is as long as Demand needs
	Demand   int           // orders; without it as many as Duration has room for

	Buyers     int      // how many people there are; 0: one for each order
	Carts      float64  // share of orders of two lines, or of two units where there is one SKU only
	Duplicates float64  // share of orders that are sent again, at once or within two seconds at the peak rate
	Hostile    float64  // share of requests that nobody at PortOne would send
	Bodies     []string // of Bodies(), drawn for each order

	Expires       time.Duration // how long a signed link serves
	WebhookSecret string        // whsec_…, signs calls of V2; empty: they are not signed
	Seed          uint64
	Prefix        string // what the ids of this run's orders begin with
}

// Bodies returns the names of PortOne's confirm calls that can be sent.
func Bodies() []string { return []string{"v1", "v1-form", "v2-2024-01-01", "v2-2024-04-25"} }

// kind is what a request is.
type kind uint8

const (
	first kind = iota // an order's first confirm
	again             // the same once more
	// From here on nobody at PortOne would send it.
	broken      // a body that is cut off
	unknownSale // a sale that does not exist
	unknownSKU
	forged // a link that was changed after it was signed
	stolen // the link of another order
)

func (k kind) hostile() bool { return k >= broken }

// request is one confirm call of a run.
type request struct {
	order int32
	kind  kind
}

// Plan is every request of a run in the order in which they are due. It never
// changes, so any number of goroutines may use it.
type Plan struct {
	keys     *gate.Keys // sign the links; nil: they are not signed
	opt      Options
	shape    *Shape
	requests []request
	orders   int // how many of the requests are an order's first
	hook     *standardwebhooks.Webhook
	weights  int64
}

// NewPlan draws the requests of a run.
func NewPlan(keys *gate.Keys, opt Options) (*Plan, error) {
	p := &Plan{keys: keys, opt: opt}
	if err := p.check(); err != nil {
		return nil, err
	}
	limit, demand := math.MaxInt32, opt.Demand
	if opt.Duration > 0 {
		shape, err := NewShape(opt.Shape, opt.Rate, opt.Duration)
		if err != nil {
			return nil, err
		}
		p.shape, limit, demand = shape, min(limit, shape.Requests()), math.MaxInt32
	}
	p.draw(limit, demand)
	if p.shape == nil {
		shape, err := ShapeFor(opt.Shape, opt.Rate, len(p.requests))
		if err != nil {
			return nil, err
		}
		p.shape = shape
	}
	if p.orders == 0 {
		return nil, errors.New("there is no order in this run: raise the rate, the duration or the demand")
	}
	return p, nil
}

func (p *Plan) check() error {
	o := &p.opt
	if len(o.Targets) == 0 {
		return errors.New("name at least one target")
	}
	o.Targets = slices.Clone(o.Targets)
	for i, target := range o.Targets {
		if err := gate.CheckBaseURL(target); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		o.Targets[i] = strings.TrimSuffix(target, "/")
	}
	err := chance.Check(chance.Share{Flag: "--carts", Of: o.Carts},
		chance.Share{Flag: "--duplicates", Of: o.Duplicates})
	if err != nil {
		return err
	}
	switch {
	case !gate.ValidName(o.Sale):
		return fmt.Errorf("sale %q: must be 1 to %d of A-Z a-z 0-9 _ . -", o.Sale, gate.MaxName)
	case !(o.Hostile >= 0 && o.Hostile < 1):
		return fmt.Errorf("--hostile %v: must be a share from 0 to less than 1", o.Hostile)
	case (o.Duration > 0) == (o.Demand > 0):
		return errors.New("give the duration or the demand, not both")
	case o.Demand > math.MaxInt32/4:
		return fmt.Errorf("demand %d: must be at most %d", o.Demand, math.MaxInt32/4)
	case o.Buyers < 0:
		return fmt.Errorf("buyers %d: must be 0 or more", o.Buyers)
	case len(o.Items) == 0:
		return errors.New("there is nothing to buy: give --items, such as --items full, or --admin with a gate's " +
			"admin API, which knows what the sale has")
	case !gate.ValidID(o.orderID(math.MaxInt32)):
		return fmt.Errorf("prefix %q: must be printable and short enough that order ids are at most %d bytes",
			o.Prefix, gate.MaxID)
	case len(o.Bodies) == 0:
		return errors.New("name at least one body")
	}
	for i, item := range o.Items {
		if !gate.ValidName(item.SKU) || item.Weight < 1 ||
			slices.ContainsFunc(o.Items[:i], func(other Item) bool { return other.SKU == item.SKU }) {
			return fmt.Errorf("items: %q: write SKU[:WEIGHT], each SKU once, a weight of at least 1", item.SKU)
		}
		p.weights += item.Weight
	}
	for _, body := range o.Bodies {
		if !slices.Contains(Bodies(), body) {
			return fmt.Errorf("body %q: must be one of %s", body, strings.Join(Bodies(), ", "))
		}
	}
	if o.WebhookSecret == "" {
		return nil
	}
	hook, err := standardwebhooks.NewWebhook(strings.TrimPrefix(o.WebhookSecret, "whsec_"))
	if err != nil {
		return errors.New("the webhook secret must be whsec_ and base64")
	}
	p.hook = hook
	return nil
}

// draw draws requests until there are so many, or so many orders.
func (p *Plan) draw(limit, demand int) {
	type repeat struct{ at, order int }
	var later []repeat // sorted by at
	random := rand.New(rand.NewPCG(p.opt.Seed, 0))
	hostile := p.hostileKinds()
	add := func(order int, k kind) { p.requests = append(p.requests, request{int32(order), k}) }
	for len(p.requests) < limit && (p.orders < demand || len(later) > 0) {
		at := len(p.requests)
		switch {
		case random.Float64() < p.opt.Hostile:
			add(random.IntN(max(1, p.orders)), hostile[random.IntN(len(hostile))])
		case len(later) > 0 && (later[0].at <= at || p.orders == demand):
			add(later[0].order, again)
			later = later[1:]
		default:
			order := p.orders
			p.orders++
			add(order, first)
			switch {
			case random.Float64() >= p.opt.Duplicates:
			case random.IntN(2) == 0:
				later = slices.Insert(later, 0, repeat{at, order})
			default:
				lag := 1 + random.IntN(max(1, min(int(2*p.opt.Rate), limit-at)))
				i, _ := slices.BinarySearchFunc(later, at+lag, func(r repeat, at int) int { return r.at - at })
				later = slices.Insert(later, i, repeat{at + lag, order})
			}
		}
	}
}

// hostileKinds are those that the gate can tell by what it was given.
func (p *Plan) hostileKinds() []kind {
	kinds := []kind{broken, unknownSale, unknownSKU}
	if p.keys != nil {
		kinds = append(kinds, forged, stolen)
	}
	return kinds
}

// Requests returns how many requests there are.
func (p *Plan) Requests() int { return len(p.requests) }

// Orders returns how many orders there are.
func (p *Plan) Orders() int { return p.orders }

// Shape returns when the requests are due.
func (p *Plan) Shape() *Shape { return p.shape }
