package gate

import "strings"

// Code is the answer to a confirm: Held lets the payment go ahead, every other
// code is a refusal and says why.
type Code uint8

// The codes, in the order of the table in the package documentation.
const (
	Held Code = iota
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
	Held: "held", SoldOut: "sold_out", NotOpen: "not_open", Closed: "closed", Paused: "paused",
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

// Codes returns every code, Held first.
func Codes() []Code {
	all := make([]Code, codes)
	for i := range all {
		all[i] = Code(i)
	}
	return all
}

func refusalList() string { return strings.Join(codeNames[Held+1:], ", ") }

// Verdict is the answer to one confirm.
type Verdict struct {
	Code  Code
	Field string // for BadRequest: what could not be read, such as "merchant_uid" or "items"
	Want  string // for BadRequest: what Field must be, a sentence without its subject
}

// Refuse returns the verdict with the given code.
func Refuse(c Code) Verdict { return Verdict{Code: c} }

// Malformed returns a BadRequest verdict that names the field and what it must be.
func Malformed(field, want string) Verdict {
	return Verdict{Code: BadRequest, Field: field, Want: want}
}

// What a field must be, in Malformed verdicts, wherever it was read from.
const (
	WantID     = "must be 1 to 64 bytes of printable text"
	WantAmount = "must be a whole number between 0 and 1000000000000"
)

// NeedsBuyer returns the verdict on a link without a buyer to a sale that limits buyers.
func NeedsBuyer() Verdict {
	return Malformed("buyer", "is needed, because this sale limits the units of one buyer")
}

// NeedsAmount returns the verdict on a confirm of which nothing tells the amount.
func NeedsAmount() Verdict {
	return Malformed("amount", "is needed: in the call, in the link, or not at all where the sale has no prices and says amount_optional")
}
