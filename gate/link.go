package gate

// Link is what a confirm_url claims in its query. Its slices need to stay
// untouched only during the call that they are handed to.
type Link struct {
	Items []byte // "SKU[:QUANTITY],…"
	Buyer []byte // may be empty where the sale has no limit for one buyer
}
