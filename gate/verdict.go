package gate

// Code is the answer to a confirm: Held lets the payment go ahead, every other
// code is a refusal and says why.
type Code uint8

// The codes. The zero value is a refusal: an undecided confirm is not let go ahead.
const (
	Undecided Code = iota
	Held
	SoldOut
	NotOpen
	Closed
	Paused
	BuyerLimit
	OrderChanged
	AlreadyPaid
	AttemptEnded
	AttemptLimit
	AmountMismatch
	BadSignature
	ExpiredLink
	NotAllowed
	ShopUnavailable
	ShopRefused
	UnknownSale
	UnknownSKU
	BadRequest
	TooLarge
	Busy
	Unavailable
	Recovering
	NotDurable
	codes // how many there are
)

var codeNames = [codes]string{
	Undecided: "undecided", Held: "held", SoldOut: "sold_out", NotOpen: "not_open", Closed: "closed", Paused: "paused",
	BuyerLimit: "buyer_limit", OrderChanged: "order_changed", AlreadyPaid: "already_paid",
	AttemptEnded: "attempt_ended", AttemptLimit: "attempt_limit", AmountMismatch: "amount_mismatch",
	BadSignature: "bad_signature", ExpiredLink: "expired_link", NotAllowed: "not_allowed",
	ShopUnavailable: "shop_unavailable", ShopRefused: "shop_refused", UnknownSale: "unknown_sale",
	UnknownSKU: "unknown_sku", BadRequest: "bad_request", TooLarge: "too_large", Busy: "busy",
	Unavailable: "unavailable", Recovering: "recovering", NotDurable: "not_durable",
}

// String returns the code as it stands in answers, metrics and sale files.
func (c Code) String() string { return codeNames[c] }

// ParseCode returns the code with the given name.
func ParseCode(name string) (Code, bool) {
	for c, n := range codeNames {
		if n == name {
			return Code(c), true
		}
	}
	return 0, false
}

// Codes returns every code.
func Codes() []Code {
	all := make([]Code, codes)
	for i := range all {
		all[i] = Code(i)
	}
	return all
}

// Refusals returns every code but Held, with Undecided at the end.
func Refusals() []Code { return append(Codes()[SoldOut:], Undecided) }

// Verdict is the answer to one confirm. The zero value refuses.
//
// A check returns whether the confirm passes, and a verdict, which counts only if it does not. A
// check can refuse; only a Decider says Held.
type Verdict struct {
	Code  Code
	Cause Cause // why, if the code has several causes; otherwise NoCause
	Item  uint8 // for UnknownSKU: which of the link's items, from 1; 0 if unknown

	// Field and Want are for BadRequest. Field could not be read, such as "merchant_uid" or "items". Want says what
	// it must be, in a sentence without its subject. If there is a Cause, only the operator sees them.
	Field, Want string

	Reason   string // for ShopRefused: the shop's sentence for the buyer; if empty, the code's own is shown
	Expected int64  // for AmountMismatch: the amount that is needed; for AmountBelowPrice, the least
}

// Refuse returns the verdict with the given code.
func Refuse(c Code) Verdict { return Verdict{Code: c} }

// RefuseFor returns the verdict with the given cause and its code.
func RefuseFor(c Cause) Verdict { return Verdict{Code: c.Code(), Cause: c} }

// WrongAmount returns an AmountMismatch verdict with the given cause and the amount that was
// expected.
func WrongAmount(c Cause, expected int64) Verdict {
	v := RefuseFor(c)
	v.Expected = expected
	return v
}

// Malformed returns a BadRequest verdict that names the field and what it must be.
func Malformed(field, want string) Verdict {
	return Verdict{Code: BadRequest, Field: field, Want: want}
}

// What fields must be, for Malformed verdicts.
const (
	WantID     = "must be 1 to 64 bytes of printable text, and not one or two dots alone"
	WantAmount = "must be a whole number between 0 and 1000000000000"
)

// NeedsBuyer returns the verdict on a link without a buyer to a sale that limits buyers.
func NeedsBuyer() Verdict {
	return Malformed("buyer", "is needed, because this sale limits the units of one buyer")
}

// NeedsAmount returns the verdict on a confirm whose amount is unknown and needed.
func NeedsAmount() Verdict {
	return Malformed("amount", "is needed: in the call, in the link, or not at all where nothing in the cart has a "+
		"price and the sale says amount_optional")
}
