package standin

import (
	"fmt"
	"time"

	"github.com/flashgate/flashgate/loadtest/chance"
)

// Plan is what the shop says, as shares of the orders from 0 to 1. An order is in one share at most, so the shares are
// at most 1 together. All other orders get a yes.
type Plan struct {
	Refuses float64 // 409 with a reason
	Slow    float64 // a yes after SlowBy
	Hangs   float64 // never an answer
	Fails   float64 // 500

	Takes  time.Duration // before each answer
	SlowBy time.Duration

	// DownAfter is how long after the first question the shop goes down, DownFor how long it stays down. It goes down
	// again every DownEvery, if that is more than 0.
	DownAfter, DownFor, DownEvery time.Duration
}

// check names what is wrong as the command line has it.
func (p Plan) check() error {
	shares := []chance.Share{
		{Flag: "--shop-refuses", Of: p.Refuses},
		{Flag: "--shop-slow", Of: p.Slow},
		{Flag: "--shop-hangs", Of: p.Hangs},
		{Flag: "--shop-fails", Of: p.Fails},
	}
	if err := chance.Check(shares...); err != nil {
		return err
	}
	if err := chance.CheckTogether(shares...); err != nil {
		return err
	}
	if p.Takes < 0 || p.SlowBy < 0 {
		return fmt.Errorf("--shop-takes %v, --shop-slow-by %v: must not be negative", p.Takes, p.SlowBy)
	}
	switch {
	case p.DownAfter < 0 || p.DownFor < 0 || p.DownEvery < 0:
		return fmt.Errorf("--shop-down-after %v, --shop-down-for %v, --shop-down-every %v: must not be negative",
			p.DownAfter, p.DownFor, p.DownEvery)
	case p.DownFor == 0 && (p.DownAfter > 0 || p.DownEvery > 0):
		return fmt.Errorf("--shop-down-after %v, --shop-down-every %v: give --shop-down-for too",
			p.DownAfter, p.DownEvery)
	case p.DownEvery > 0 && p.DownEvery <= p.DownFor:
		return fmt.Errorf("--shop-down-every %v: must be more than --shop-down-for %v, or the shop never comes back",
			p.DownEvery, p.DownFor)
	}
	return nil
}

// Word is what the shop makes of a question.
type Word uint8

// The words. Zero is no word.
const (
	Yes   Word = iota + 1
	No         // 409 with a reason
	Slow       // a yes after Plan.SlowBy
	Hang       // never an answer
	Fail       // 500
	Down       // the connection is closed
	Fault      // no gate may ask this question: 401 if its signature is wrong, else 400
	words      // one more than there are
)

var wordNames = [words]string{
	Yes: "yes", No: "no", Slow: "slow", Hang: "hang", Fail: "fail", Down: "down",
	Fault: "fault",
}

// String implements fmt.Stringer.
func (w Word) String() string { return wordNames[w] }

// MarshalText implements encoding.TextMarshaler.
func (w Word) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *Word) UnmarshalText(text []byte) error {
	for word, name := range wordNames {
		if name == string(text) && word > 0 {
			*w = Word(word)
			return nil
		}
	}
	return fmt.Errorf("%.20q is no word of the shop", text)
}

// Word returns what the shop says to an order while it is up.
func (s *Shop) Word(order string) Word {
	p := s.opt.Plan
	if picked := chance.Pick(chance.Draw(s.opt.Seed, "word", order), p.Refuses, p.Slow, p.Hangs, p.Fails); picked >= 0 {
		return []Word{No, Slow, Hang, Fail}[picked]
	}
	return Yes
}

// reason is why the shop refuses an order, for its buyer.
func (s *Shop) reason(order string) string {
	reasons := []string{
		"이 주소로는 배송할 수 없습니다.",
		"이미 사용한 쿠폰입니다.",
		"본인 인증을 마친 회원만 구매할 수 있습니다.",
		"장바구니가 변경되었습니다. 다시 확인해 주세요.",
	}
	return reasons[int(chance.Draw(s.opt.Seed, "reason", order)*float64(len(reasons)))]
}
