package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/flashgate/flashgate/gate"
)

// Probe asks the first target for each item whether there is such a sale and SKU, and
// returns an error where there is not. Its requests take nothing: they say another
// amount than their link, and a gate refuses that without a look at the stock, after it
// has looked for the SKU. Any other answer, and none, is left to the run.
func (r *Run) Probe(ctx context.Context) error {
	transport := r.transport()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: r.Timeout}
	for _, item := range r.Plan.opt.Items {
		target, err := r.Plan.probe(item.SKU, time.Now())
		if err != nil {
			return err
		}
		switch sale, host := r.Plan.opt.Sale, r.Plan.opt.Targets[0]; code(ctx, client, &target) {
		case "unknown_sale":
			return fmt.Errorf("nothing was sent: the gate at %s has no sale %s; flashgate apply creates one, and "+
				"flashgate status lists those that there are", host, sale)
		case "unknown_sku":
			return fmt.Errorf("nothing was sent: at %s sale %s has no SKU %s; flashgate status %s lists "+
				"those that it has", host, sale, item.SKU, sale)
		}
	}
	return nil
}

// probe is a confirm call of an order for one unit that no gate takes.
func (p *Plan) probe(sku string, now time.Time) (vegeta.Target, error) {
	o := order{
		id: p.opt.Prefix + "probe", buyer: "probe", lines: []gate.Line{{SKU: sku, Quantity: 1}}, amount: 1,
		body: p.opt.Bodies[0],
	}
	link, err := p.link(p.opt.Targets[0], p.opt.Sale, &o, now)
	if err != nil {
		return vegeta.Target{}, fmt.Errorf("the link of a probe: %w", err)
	}
	if p.keys == nil {
		link += "&amount=1"
	}
	o.amount = 2
	return p.send(link, &o, now, "probe", false)
}

// code sends a request, and returns the code of its answer; empty if it has none.
func code(ctx context.Context, client *http.Client, target *vegeta.Target) string {
	request, err := target.Request()
	if err != nil {
		return ""
	}
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var said struct{ Code string }
	_ = json.NewDecoder(io.LimitReader(response.Body, maxRead)).Decode(&said) // what cannot be read has no code
	return said.Code
}
