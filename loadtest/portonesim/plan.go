package portonesim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/flashgate/flashgate/loadtest/chance"
)

// Plan is what goes wrong: shares from 0 to 1. The first seven exclude each other,
// so that together they are at most 1: what is left of the attempts is approved.
type Plan struct {
	Declines      float64 // the card company says no after the confirm call's 200
	SlowApprovals float64 // it says yes only after SlowBy; cancellations may take as long too
	Lost          float64 // the confirm call's answer never arrives, which stops the payment
	Never         float64 // the buyer leaves: ready for ever
	Pending       float64 // pending for SlowBy, then approved; V1 has no such status and says ready
	Invented      float64 // the confirm call is a forger's: unsigned, and about an attempt that does not exist
	Revived       float64 // it fails, and is approved SlowBy later after all, as V1 documents for Paymentwall; V2's stays failed

	DuplicateHooks float64 // webhooks that come HookCopies times
	LateHooks      float64 // webhooks that come after LateBy, so that later ones overtake them
	ShuffledHooks  float64 // webhooks of which each copy comes at some time within LateBy, whatever came before
	DroppedHooks   float64 // webhooks that never come
	ForgedHooks    float64 // payments that a forger calls paid before they are: V1's as an attempt that does not exist, V2's with a wrong signature
	RESTErrors     float64 // REST calls that answer 502, half of them after having done what was asked
	PartCancels    float64 // payments of which the shop's staff gives half back at once
	TestChannel    float64 // payments through a test channel, which move no money
	WrongAmount    float64 // the buyer has halved the amount in the browser
	SwitchedAmount float64 // the confirm call names the amount, and half of it is paid
	Twice          float64 // the buyer pays in two windows at the same time
	TriesAgain     float64 // failed payments whose buyer tries once more at once, which is a new attempt

	SlowBy, LateBy time.Duration
	HookCopies     int // 2 if zero
}

// check names what is wrong as the command line has it.
func (p Plan) check() error {
	fates := []chance.Share{
		{Flag: "--declines", Of: p.Declines},
		{Flag: "--slow-approvals", Of: p.SlowApprovals},
		{Flag: "--lost", Of: p.Lost},
		{Flag: "--never", Of: p.Never},
		{Flag: "--pending", Of: p.Pending},
		{Flag: "--invented", Of: p.Invented},
		{Flag: "--revived", Of: p.Revived},
	}
	others := []chance.Share{
		{Flag: "--duplicate-hooks", Of: p.DuplicateHooks},
		{Flag: "--late-hooks", Of: p.LateHooks},
		{Flag: "--shuffled-hooks", Of: p.ShuffledHooks},
		{Flag: "--dropped-hooks", Of: p.DroppedHooks},
		{Flag: "--forged-hooks", Of: p.ForgedHooks},
		{Flag: "--rest-errors", Of: p.RESTErrors},
		{Flag: "--part-cancels", Of: p.PartCancels},
		{Flag: "--test-channel", Of: p.TestChannel},
		{Flag: "--wrong-amount", Of: p.WrongAmount},
		{Flag: "--switched-amount", Of: p.SwitchedAmount},
		{Flag: "--twice", Of: p.Twice},
		{Flag: "--tries-again", Of: p.TriesAgain},
	}
	if err := chance.Check(append(fates, others...)...); err != nil {
		return err
	}
	if err := chance.CheckTogether(fates...); err != nil {
		return err
	}
	if p.SlowBy < 0 || p.LateBy < 0 {
		return fmt.Errorf("--slow-by %v, --late-by %v: must not be negative", p.SlowBy, p.LateBy)
	}
	if p.HookCopies < 0 || p.HookCopies > maxCopies {
		return fmt.Errorf("--hook-copies %d: must be from 0 to %d", p.HookCopies, maxCopies)
	}
	return nil
}

// maxCopies is how often a webhook may come.
const maxCopies = 100

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

// attemptID returns the id of an order's nth attempt, in its version's form.
func (s *Sim) attemptID(o Order, n int) string {
	sum := s.hash("attempt", o.key(), strconv.Itoa(n))
	if o.Version == 1 {
		return fmt.Sprintf("imp_%012d", binary.BigEndian.Uint64(sum[:])%1e12)
	}
	sum[6], sum[8] = sum[6]&0x0f|0x70, sum[8]&0x3f|0x80
	id := hex.EncodeToString(sum[:16])
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}
