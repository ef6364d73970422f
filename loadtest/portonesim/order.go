package portonesim

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Order is what a buyer pays, and how.
type Order struct {
	Version int `json:"version"` // 1 or 2; that of the body if zero
	// Body is the form of the confirm call and the webhooks: v1, v1-form, v1-status, v2-2024-01-01, v2-2024-04-25.
	Body     string `json:"body"`
	StoreID  string `json:"storeId"`  // V2's store; the one of the API secret, StoreID, if empty
	ID       string `json:"id"`       // merchant_uid or paymentId
	Amount   int64  `json:"amount"`   // in the currency's smallest unit
	Currency string `json:"currency"` // KRW if empty

	TaxFree   int64 `json:"taxFree"`   // the part of the amount that is not taxed
	Discount  int64 `json:"discount"`  // what the card company takes off
	Promotion int64 `json:"promotion"` // what a promotion of PortOne's takes off
	Decimals  bool  `json:"decimals"`  // V1: the amount is in hundredths, and shown with decimals

	ConfirmURL string   `json:"confirmUrl"` // without it nobody is asked
	NoticeURL  string   `json:"noticeUrl"`  // without one there are no webhooks
	NoticeURLs []string `json:"noticeUrls"` // more of them: each is sent every webhook
	Test       bool     `json:"test"`       // through a test channel
	// ManualConfirm is for V2: the shop's server confirms with the paymentToken, and no confirm call is made.
	ManualConfirm bool `json:"manualConfirm"`

	VirtualAccount bool `json:"virtualAccount"` // an account to transfer to, instead of a card
	// DepositBy is when the account's deposit is due. Zero is a day after the account was issued.
	DepositBy time.Time `json:"depositBy"`
	NoDueDate bool      `json:"noDueDate"` // the account has none

	// Fate is what comes of each attempt, instead of what the plan has: approved, or
	// the name of a flag of the plan's: declines, slow-approvals, lost, never,
	// pending, invented, revived.
	Fate string `json:"fate"`

	// Cancels are what its cancellations by the API come to, one after the other,
	// instead of what the plan has: done, slow, requested (done after SlowBy),
	// request-fails (after SlowBy), failed, refund-fails (of a virtual account), or
	// the type of an error of V2's such as PG_PROVIDER. The last holds for all that follow.
	Cancels []string `json:"cancels"`
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
	if o.StoreID == "" {
		o.StoreID = StoreID
	}
	switch {
	case o.Version != version:
		return fmt.Errorf("version %d with body %q: leave one of them out", o.Version, o.Body)
	case o.ID == "" || len(o.ID) > 40:
		return errors.New("id: must be 1 to 40 bytes")
	case o.Amount <= 0:
		return fmt.Errorf("amount %d: must be more than 0", o.Amount)
	case o.TaxFree < 0 || o.TaxFree > o.Amount:
		return fmt.Errorf("taxFree %d: must be from 0 to the amount", o.TaxFree)
	case o.Discount < 0 || o.Promotion < 0 || o.Discount+o.Promotion >= o.Amount:
		return fmt.Errorf("discount %d, promotion %d: must not be negative, and must leave something to pay",
			o.Discount, o.Promotion)
	case o.Version == 1 && o.StoreID != StoreID:
		return errors.New("storeId: is V2's")
	case o.Version == 2 && o.Decimals:
		return errors.New("decimals: are V1's")
	case o.ManualConfirm && (o.Version == 1 || o.VirtualAccount || o.ConfirmURL != ""):
		return errors.New("manualConfirm: is for V2's cards, and takes the place of the confirmUrl")
	}
	if _, known := fates()[o.Fate]; o.Fate != "" && !known {
		return fmt.Errorf("fate %q: must be one of %s", o.Fate, strings.Join(slices.Sorted(maps.Keys(fates())), ", "))
	}
	for _, word := range o.Cancels {
		if !outcome(word).known() {
			return fmt.Errorf("cancels: %q is none of done, slow, requested, request-fails, failed, refund-fails and "+
				"the types of V2's errors of a cancellation", word)
		}
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
	return slices.DeleteFunc(append([]string{o.NoticeURL}, o.NoticeURLs...),
		func(address string) bool { return address == "" })
}

// key tells the orders of V1, and of each store of V2, apart.
func (o Order) key() string {
	if o.Version == 1 {
		return key1(o.ID)
	}
	return key2(o.StoreID, o.ID)
}

func key1(id string) string { return "1 " + id }

func key2(store, id string) string {
	if store == StoreID {
		return "2 " + id
	}
	return "2 " + store + " " + id
}

// vary makes of an order what the plan has its nth attempt be.
func (s *Sim) vary(o Order, n int) Order {
	p, key, number := s.opt.Plan, o.key(), strconv.Itoa(n)
	drawn := func(share float64, what string) bool { return s.draw(what, key, number) < share }
	if drawn(p.TestChannel, "test") {
		o.Test = true
	}
	if !o.ManualConfirm && drawn(p.VirtualAccounts, "account") {
		o.VirtualAccount = true
	}
	if drawn(p.NoDueDates, "no due date") {
		o.NoDueDate = true
	}
	if drawn(p.TaxFree, "tax-free") {
		o.TaxFree = o.Amount
		if drawn(0.5, "tax-free in part") {
			o.TaxFree = half(o.Amount)
		}
	}
	if drawn(p.Discounts, "discount") {
		o.Discount = o.Amount / 10
	}
	if drawn(p.Promotions, "promotion") {
		o.Promotion = o.Amount / 10
	}
	if o.Version == 1 && !o.Decimals && drawn(p.Decimals, "decimals") {
		o.Decimals = true
		o.TaxFree, o.Discount, o.Promotion = 100*o.TaxFree, 100*o.Discount, 100*o.Promotion
		o.Amount = 100*o.Amount + 50
	}
	return o
}

// halve makes the order one of half its amount.
func (o *Order) halve() {
	o.Amount = half(o.Amount)
	o.TaxFree, o.Discount, o.Promotion = o.TaxFree/2, o.Discount/2, o.Promotion/2
}

func half(amount int64) int64 { return max(amount/2, 1) }

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
