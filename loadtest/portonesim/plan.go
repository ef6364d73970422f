package portonesim

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/flashgate/flashgate/loadtest/chance"
)

// Plan is what goes wrong: shares from 0 to 1, each with its flag of the command
// line and what it does. Those tagged fate exclude each other, and so do those
// tagged cancel: together they are at most 1, and the rest goes well.
type Plan struct {
	Declines      float64 `share:"fate" name:"declines" placeholder:"SHARE" help:"Share of the payments that are declined after the confirm call's 200; from 0 to 1, as each share below; 0 by default."`
	SlowApprovals float64 `share:"fate" name:"slow-approvals" placeholder:"SHARE" help:"Payments that are approved only after --slow-by."`
	Lost          float64 `share:"fate" name:"lost" placeholder:"SHARE" help:"Confirm calls whose answer is lost, so that the payment fails."`
	Never         float64 `share:"fate" name:"never" placeholder:"SHARE" help:"Payments that stay READY for ever."`
	Pending       float64 `share:"fate" name:"pending" placeholder:"SHARE" help:"Payments that are PAY_PENDING for --slow-by (V2), or ready (V1, which has no such status)."`
	Invented      float64 `share:"fate" name:"invented" placeholder:"SHARE" help:"Confirm calls by a forger, unsigned and about attempts that do not exist."`
	Revived       float64 `share:"fate" name:"revived" placeholder:"SHARE" help:"Payments that fail, and are paid after all --slow-by later (V1, as it documents for Paymentwall); V2's stay failed."`

	SlowCancels      float64 `share:"cancel" name:"slow-cancels" placeholder:"SHARE" help:"Cancel calls that take as long as --slow-by."`
	RequestedCancels float64 `share:"cancel" name:"requested-cancels" placeholder:"SHARE" help:"Cancellations that are only requested, and done --slow-by later."`
	FailedRequests   float64 `share:"cancel" name:"failed-requests" placeholder:"SHARE" help:"Cancellations that are requested, and fail --slow-by later."`
	FailedCancels    float64 `share:"cancel" name:"failed-cancels" placeholder:"SHARE" help:"Cancellations that are answered as failed: FAILED with 200 (V2), a code (V1)."`
	PGErrors         float64 `share:"cancel" name:"pg-errors" placeholder:"SHARE" help:"Cancel calls that the payment gateway behind PortOne refuses: 502 PG_PROVIDER, which stays the answer for its Idempotency-Key (V2), a code (V1)."`

	FinalRefusals float64 `share:"" name:"final-refusals" placeholder:"SHARE" help:"Payments whose cancellations are all refused for good, for one of the reasons that V2 documents."`
	FailedRefunds float64 `share:"" name:"failed-refunds" placeholder:"SHARE" help:"Cancelled virtual accounts whose money never reaches the buyer: refundStatus PENDING for --slow-by, then FAILED; the others' is then COMPLETED."`
	PartCancels   float64 `share:"" name:"part-cancels" placeholder:"SHARE" help:"Payments that the shop's staff refunds by half at once."`
	Disputes      float64 `share:"" name:"disputes" placeholder:"SHARE" help:"Card payments that the buyer disputes at once (V2)."`
	Chargebacks   float64 `share:"" name:"chargebacks" placeholder:"SHARE" help:"Card payments that the card company takes back --slow-by later."`

	VirtualAccounts float64 `share:"" name:"virtual-accounts" placeholder:"SHARE" help:"Payments into a virtual account."`
	Deposits        float64 `share:"" name:"deposits" placeholder:"SHARE" help:"Virtual accounts that are paid into --slow-by after they were issued."`
	NoDueDates      float64 `share:"" name:"no-due-dates" placeholder:"SHARE" help:"Virtual accounts without a due date."`
	TaxFree         float64 `share:"" name:"tax-free" placeholder:"SHARE" help:"Payments that are tax-free, every other one in part."`
	Discounts       float64 `share:"" name:"discounts" placeholder:"SHARE" help:"Payments that the card company discounts by a tenth."`
	Promotions      float64 `share:"" name:"promotions" placeholder:"SHARE" help:"Payments that a promotion of PortOne's discounts by a tenth."`
	Decimals        float64 `share:"" name:"decimals" placeholder:"SHARE" help:"Payments of half a unit more than the order's amount, through a channel whose amounts have decimals (V1)."`
	TestChannel     float64 `share:"" name:"test-channel" placeholder:"SHARE" help:"Payments through a test channel, which move no money."`
	WrongAmount     float64 `share:"" name:"wrong-amount" placeholder:"SHARE" help:"Payments of half the amount, changed in the browser."`
	SwitchedAmount  float64 `share:"" name:"switched-amount" placeholder:"SHARE" help:"Payments of half the amount that the confirm call named."`
	Twice           float64 `share:"" name:"twice" placeholder:"SHARE" help:"Orders that are paid in two windows at the same time."`
	TriesAgain      float64 `share:"" name:"tries-again" placeholder:"SHARE" help:"Failed payments whose buyer tries once more at once, as a new attempt."`

	DuplicateHooks float64 `share:"" name:"duplicate-hooks" placeholder:"SHARE" help:"Webhooks that come --hook-copies times."`
	LateHooks      float64 `share:"" name:"late-hooks" placeholder:"SHARE" help:"Webhooks that come --late-by late, so that newer ones overtake them."`
	ShuffledHooks  float64 `share:"" name:"shuffled-hooks" placeholder:"SHARE" help:"Webhooks whose copies come at any time within --late-by, in any order."`
	DroppedHooks   float64 `share:"" name:"dropped-hooks" placeholder:"SHARE" help:"Webhooks that never come."`
	ForgedHooks    float64 `share:"" name:"forged-hooks" placeholder:"SHARE" help:"Payments that a forged webhook calls paid: of an attempt that does not exist (V1), or wrongly signed (V2)."`
	RESTErrors     float64 `share:"" name:"rest-errors" placeholder:"SHARE" help:"REST calls that answer 502 as a proxy does, half of them after the call was carried out."`

	MaxCancels int           `placeholder:"N" help:"Cancellations that a payment may have; more are answered with MAX_CANCEL_COUNT_REACHED. Without it any number."`
	SlowBy     time.Duration `default:"5s" help:"How long slow payments, cancellations and deposits take (${default})."`
	LateBy     time.Duration `default:"5s" help:"How late the late webhooks are (${default})."`
	HookCopies int           `default:"2" placeholder:"N" help:"How often a repeated webhook comes (${default})."`
}

// maxCopies is how often a webhook may come.
const maxCopies = 100

// check names what is wrong as the command line has it.
func (p Plan) check() error {
	shares := p.shares()
	if err := chance.Check(slices.Concat(shares["fate"], shares["cancel"], shares[""])...); err != nil {
		return err
	}
	for _, name := range []string{"fate", "cancel"} {
		if err := chance.CheckTogether(shares[name]...); err != nil {
			return err
		}
	}
	switch {
	case p.SlowBy < 0 || p.LateBy < 0:
		return fmt.Errorf("--slow-by %v, --late-by %v: must not be negative", p.SlowBy, p.LateBy)
	case p.HookCopies < 0 || p.HookCopies > maxCopies:
		return fmt.Errorf("--hook-copies %d: must be from 0 to %d", p.HookCopies, maxCopies)
	case p.MaxCancels < 0:
		return fmt.Errorf("--max-cancels %d: must not be negative", p.MaxCancels)
	}
	return nil
}

// shares returns the shares by their group, in the order of their fields.
func (p Plan) shares() map[string][]chance.Share {
	groups := map[string][]chance.Share{}
	fields := reflect.ValueOf(p)
	for i, field := range reflect.VisibleFields(fields.Type()) {
		if group, ok := field.Tag.Lookup("share"); ok {
			groups[group] = append(groups[group],
				chance.Share{Flag: "--" + field.Tag.Get("name"), Of: fields.Field(i).Float()})
		}
	}
	return groups
}

// fate is what becomes of an attempt.
type fate int

const (
	approved fate = iota
	declined
	slow
	lost
	never
	pending
	invented
	revived
)

// fates are what may become of an attempt, as an order names it.
func fates() map[string]fate {
	return map[string]fate{
		"approved": approved, "declines": declined, "slow-approvals": slow, "lost": lost,
		"never": never, "pending": pending, "invented": invented, "revived": revived,
	}
}

// fate is what a draw makes of an attempt.
func (p Plan) fate(draw float64) fate {
	picked := chance.Pick(draw, p.Declines, p.SlowApprovals, p.Lost, p.Never, p.Pending, p.Invented, p.Revived)
	if picked < 0 {
		return approved
	}
	return declined + fate(picked)
}

// hash is what everything is drawn from.
func (s *Sim) hash(words ...string) [sha256.Size]byte { return chance.Hash(s.opt.Seed, words...) }

// draw returns a number from 0 to below 1.
func (s *Sim) draw(words ...string) float64 { return chance.Draw(s.opt.Seed, words...) }
