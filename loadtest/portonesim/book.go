package portonesim

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Order is what a buyer pays.
type Order struct {
	Version        int    `json:"version"`        // 1 or 2; that of the body if zero
	Body           string `json:"body"`           // of the confirm call and webhooks: v1, v1-form, v1-status, v2-2024-01-01, v2-2024-04-25
	ID             string `json:"id"`             // merchant_uid or paymentId
	Amount         int64  `json:"amount"`         // in the currency's smallest unit
	Currency       string `json:"currency"`       // KRW if empty
	ConfirmURL     string `json:"confirmUrl"`     // without it nobody is asked
	NoticeURL      string `json:"noticeUrl"`      // without one there are no webhooks
	Test           bool   `json:"test"`           // through a test channel
	VirtualAccount bool   `json:"virtualAccount"` // an account to transfer to, instead of a card
	ManualConfirm  bool   `json:"manualConfirm"`  // V2: the shop's server confirms with the paymentToken, and is not asked

	NoticeURLs []string `json:"noticeUrls"` // more of them: each is sent every webhook
}

// complete fills in what may be left out, and says what is wrong.
func (o *Order) complete() error {
	if o.Body == "" {
		o.Body = "v1"
		if o.Version == 2 {
			o.Body = "v2-2024-04-25"
		}
	}
	version := 2
	switch o.Body {
	case "v1", "v1-form", "v1-status":
		version = 1
	case "v2-2024-01-01", "v2-2024-04-25":
	default:
		return fmt.Errorf("body %q: must be v1, v1-form, v1-status, v2-2024-01-01 or v2-2024-04-25", o.Body)
	}
	if o.Version == 0 {
		o.Version = version
	}
	if o.Currency == "" {
		o.Currency = "KRW"
	}
	switch {
	case o.Version != version:
		return fmt.Errorf("version %d with body %q: leave one of them out", o.Version, o.Body)
	case o.ID == "" || len(o.ID) > 40:
		return errors.New("id: must be 1 to 40 bytes")
	case o.Amount <= 0:
		return fmt.Errorf("amount %d: must be more than 0", o.Amount)
	case o.ManualConfirm && (o.Version == 1 || o.VirtualAccount || o.ConfirmURL != ""):
		return errors.New("manualConfirm: is for V2's cards, and takes the place of the confirmUrl")
	}
	for _, address := range append(o.notices(), o.ConfirmURL) {
		if _, err := url.Parse(address); err != nil {
			return fmt.Errorf("an address of the shop: %w", err)
		}
	}
	return nil
}

// notices returns every address that is sent the webhooks.
func (o Order) notices() []string {
	return slices.DeleteFunc(append([]string{o.NoticeURL}, o.NoticeURLs...), func(address string) bool { return address == "" })
}

// key tells the orders of V1 and V2 apart.
func (o Order) key() string { return strconv.Itoa(o.Version) + " " + o.ID }

// Payment is what came of one attempt to pay.
type Payment struct {
	Version       int    `json:"version"`
	Order         string `json:"order"`
	Attempt       string `json:"attempt"`
	Amount        int64  `json:"amount"` // of this payment, which a buyer may have changed
	Currency      string `json:"currency"`
	Status        string `json:"status"` // as V1 has it: ready, paid, failed, cancelled
	FailReason    string `json:"failReason,omitempty"`
	Paid          bool   `json:"paid"`          // the money was taken, whatever was given back since
	Cancelled     int64  `json:"cancelled"`     // sum of what was given back
	Cancellations int    `json:"cancellations"` // that succeeded
	ConfirmStatus int    `json:"confirmStatus"` // answer to the confirm call; 0: none was asked for, or none came
	ConfirmBody   string `json:"confirmBody,omitempty"`
	Test          bool   `json:"test"`
	Invented      bool   `json:"invented"` // by a forger: no API knows it
}

// state is where a payment stands.
type state int

const (
	ready state = iota
	paying
	deposit // a virtual account waits for its deposit
	paid
	failed
	cancelled // in full
)

// v1 is the state's name in V1.
func (s state) v1() string {
	return [...]string{"ready", "ready", "ready", "paid", "failed", "cancelled"}[s]
}

// record is a payment and its history. The simulator's lock guards it.
type record struct {
	order   Order
	attempt string
	number  int // of the order's attempts, from 1
	fate    fate
	amount  int64
	test    bool
	inShort bool          // says PENDING for PAY_PENDING
	token   string        // the paymentToken of a manual confirmation, until it is used
	ended   chan struct{} // closed when the buyer sees what came of it

	state         state
	failReason    string
	confirmStatus int
	confirmBody   string
	cancels       []cancellation
	hooks         []*hook                  // the oldest first
	settled       map[string]chan struct{} // by address: closed when its latest webhook was sent for the first time

	started, changed, issued, paidAt, failedAt, depositBy time.Time // zero where it did not happen
}

// cancellation is money that was given back.
type cancellation struct {
	id, reason string
	amount     int64
	at         time.Time
}

func (r *record) cancelled() (sum int64) {
	for _, c := range r.cancels {
		sum += c.amount
	}
	return sum
}

// balance is what can still be given back.
func (r *record) balance() int64 {
	if r.state != paid {
		return 0
	}
	return r.amount - r.cancelled()
}

func (r *record) payment() Payment {
	return Payment{
		Version: r.order.Version, Order: r.order.ID, Attempt: r.attempt, Amount: r.amount, Currency: r.order.Currency,
		Status: r.state.v1(), FailReason: r.failReason, Paid: !r.paidAt.IsZero(),
		Cancelled: r.cancelled(), Cancellations: len(r.cancels),
		ConfirmStatus: r.confirmStatus, ConfirmBody: r.confirmBody, Test: r.test, Invented: r.fate == invented,
	}
}

// book has every payment.
type book struct {
	all       []*record            // the oldest first
	byAttempt map[string]*record   // without those that were invented
	byOrder   map[string][]*record // by an order's key, the oldest first; without those that were invented
	tries     map[string]int       // by an order's key, with those that were invented
	owner     map[string]string    // the order's key by attempt, with those that were invented
	prepared  map[string]prepared  // by an order's key
}

// prepared is what the shop said in advance that an order costs.
type prepared struct {
	amount   int64  // 0: nothing was said
	currency string // empty: nothing was said
}

func newBook() book {
	return book{
		byAttempt: map[string]*record{}, byOrder: map[string][]*record{}, tries: map[string]int{},
		owner: map[string]string{}, prepared: map[string]prepared{},
	}
}

func (b *book) add(r *record) {
	b.all = append(b.all, r)
	b.owner[r.attempt] = r.order.key()
	if r.fate != invented {
		b.byAttempt[r.attempt] = r
		b.byOrder[r.order.key()] = append(b.byOrder[r.order.key()], r)
	}
}

// newest returns an order's newest payment, or the one that succeeded; nil for none.
func (b *book) newest(key string) *record {
	list := b.byOrder[key]
	for _, r := range list {
		if !r.paidAt.IsZero() {
			return r
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// successful reports whether an order was paid once, or is about to be.
func (b *book) successful(key string) bool {
	r := b.newest(key)
	return r != nil && (!r.paidAt.IsZero() || r.state == deposit)
}
