package gate

// Cause says why a confirm was refused, for a code that has several possible reasons. Logs and
// metrics show it. The buyer reads only the code's sentence: whoever forges a link must not learn
// what was wrong with it.
type Cause uint8

// The causes.
const (
	NoCause Cause = iota // the code alone says why

	// Of BadSignature, what is wrong with the link.
	LinkUnsigned
	LinkVersion
	KeyUnknown
	SignatureMalformed
	KeyMixedUp
	KeyUnproven
	LinkAltered // or made for another order: the signature does not tell which

	// Of BadSignature, what is wrong with PortOne's call.
	CallUnsigned
	CallStale
	CallMismatch

	// Of AmountMismatch.
	AmountNotLinks
	AmountNotPrice
	AmountBelowPrice

	// Of BadRequest, why the sale refuses calls of this version.
	VersionNotNamed
	VersionUnsigned
	VersionNotLookedUp

	// Of BadRequest, whose call it is.
	OtherStore

	// Of Busy.
	QueueFull
	QueueTime
	AsksFull
	AskTimeShort

	// Of ShopUnavailable.
	ShopDown
	ShopSecretless
	ShopNoAnswer
	ShopFailed
	ShopLate
	ShopUnknown

	causes // how many there are
)

var causeTable = [causes]struct {
	name  string
	code  Code
	means string
}{
	LinkUnsigned: {"link_unsigned", BadSignature, "the link has no signature"},
	LinkVersion:  {"link_version", BadSignature, "the link's v is not " + linkVersion},
	KeyUnknown:   {"key_unknown", BadSignature, "this gate has no signing key of the link's kid"},
	SignatureMalformed: {
		"signature_malformed", BadSignature,
		"the link's sig is not 43 characters of base64url: it was cut off or encoded otherwise",
	},
	KeyMixedUp: {
		"key_mixed_up", BadSignature,
		"another key of this gate has signed the link than the one that its kid names",
	},
	KeyUnproven: {
		"key_unproven", BadSignature,
		"the signature does not match, and none by this kid has since this gate started: the shop may sign " +
			"with another key",
	},
	LinkAltered: {
		"other_order_or_altered", BadSignature,
		"the signature does not match, though others by this kid do: the link was made for another order, " +
			"or was changed",
	},
	CallUnsigned: {
		"call_unsigned", BadSignature,
		"the call of V2 lacks webhook-id, webhook-timestamp or webhook-signature",
	},
	CallStale: {
		"call_stale", BadSignature,
		"the call's webhook-timestamp is more than five minutes from this gate's clock",
	},
	CallMismatch: {"call_mismatch", BadSignature, "none of this gate's webhook secrets has signed the call"},
	AmountNotLinks: {
		"amount_not_links", AmountMismatch,
		"the payment's amount is not the one that the link was signed for",
	},
	AmountNotPrice:   {"amount_not_price", AmountMismatch, "the amount is not what the lines cost"},
	AmountBelowPrice: {"amount_below_price", AmountMismatch, "the amount is less than the lines with a price cost"},
	VersionNotNamed:  {"version_not_named", BadRequest, "the sale's accept does not name the version of the call"},
	VersionUnsigned: {
		"version_unsigned", BadRequest,
		"V1 signs nothing: with a webhook secret it is taken only where the sale names it",
	},
	VersionNotLookedUp: {
		"version_not_looked_up", BadRequest,
		"this gate has PortOne's credentials of the other version alone, and nothing would end a hold whose payment " +
			"cannot be looked up",
	},
	OtherStore: {
		"other_store", BadRequest,
		"the call of V2 names another store than --portone-v2-store: none of this shop's payments",
	},
	QueueFull:    {"queue_full", Busy, "as many confirms wait as may"},
	QueueTime:    {"queue_time", Busy, "the confirm's time ran out while it waited"},
	AsksFull:     {"asks_full", Busy, "the shop is asked about as many orders as may be at once"},
	AskTimeShort: {"ask_time", Busy, "too little of the confirm's time was left to ask the shop"},
	ShopDown:     {"shop_down", ShopUnavailable, "the shop's healthy URL has not answered as it must"},
	ShopSecretless: {
		"shop_secretless", ShopUnavailable,
		"this gate has no notify secret, so it cannot ask the shop",
	},
	ShopNoAnswer: {
		"shop_no_answer", ShopUnavailable,
		"the shop was asked and did not answer in time, or could not be reached",
	},
	ShopFailed: {"shop_failed", ShopUnavailable, "the shop was asked, and its status says neither yes nor no"},
	ShopLate:   {"shop_late", ShopUnavailable, "the shop's yes came when the order was not asking any more"},
	ShopUnknown: {
		"shop_unknown", ShopUnavailable,
		"the order was taken by a gate that asks the shop, and this gate's settings of the sale name no shop to ask",
	},
}

// String returns the cause as it stands in logs and metrics; empty for NoCause.
func (c Cause) String() string { return causeTable[c].name }

// Code returns the code that a confirm is refused with for this cause.
func (c Cause) Code() Code { return causeTable[c].code }

// Means explains the cause to operators, in half a sentence.
func (c Cause) Means() string { return causeTable[c].means }

// Causes returns every cause but NoCause.
func Causes() []Cause {
	all := make([]Cause, causes-1)
	for i := range all {
		all[i] = Cause(i + 1)
	}
	return all
}
