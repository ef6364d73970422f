package gate

// Confirm is one decoded call of PortOne's confirm process. Its byte slices belong to the caller,
// who must not change them before the verdict.
type Confirm struct {
	Order   []byte // merchant_uid or paymentId
	Attempt []byte // imp_uid or transactionId
	Version Version
	Buyer   []byte // the shop's own id for a person; may be empty
	Lines   []Line // sorted by SKU
	Amount  Amount // as PortOne sent it
}

// Reset empties c and keeps its memory for the next confirm.
func (c *Confirm) Reset() {
	*c = Confirm{Order: c.Order[:0], Attempt: c.Attempt[:0], Buyer: c.Buyer[:0], Lines: c.Lines[:0]}
}
