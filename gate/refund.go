package gate

// RefundReason is why a payment is to be given back. The zero value is that nothing
// that can be seen now says so.
type RefundReason uint8

// The reasons for a refund.
const (
	RefundUnclear     RefundReason = iota // a gate that looked before, or with other settings, made it refund due
	RefundCurrency                        // it is in another currency than payments must be in
	RefundTestChannel                     // it went through a channel that moves no money
	RefundAmount                          // it is not the order's amount
	RefundOrderEnded                      // the order was refunded or cancelled before
	RefundNoUnits                         // it came when the order's units were sold to others, or its buyer had as many as one may
	RefundPaidTwice                       // another payment pays the order
	refundReasons
)

// String returns the reason's name in output, such as "no_units".
func (r RefundReason) String() string {
	return [...]string{"unclear", "currency", "test_channel", "amount", "order_ended", "no_units", "paid_twice"}[r]
}

// ByGate reports whether a gate may cancel a payment for the reason, without a
// person. It must be seen now, and it must not be the currency: where that was set
// wrong for a while, the payments that it made refund due are genuine ones, and stay so
// when it is right again.
func (r RefundReason) ByGate() bool { return r > RefundCurrency }

// Message returns the name by which a sale words the reason in its messages, such as
// "refund_no_units".
func (r RefundReason) Message() string { return "refund_" + r.String() }

// RefundReasons returns the reasons that a gate gives for a cancellation.
func RefundReasons() (all []RefundReason) {
	for r := range refundReasons {
		if r.ByGate() {
			all = append(all, r)
		}
	}
	return all
}

// MessageNames returns the names of the sentences that a sale may bring its own of:
// every refusal's code, and every reason for a refund.
func MessageNames() (names []string) {
	for _, c := range Refusals() {
		names = append(names, c.String())
	}
	for _, r := range RefundReasons() {
		names = append(names, r.Message())
	}
	return names
}
