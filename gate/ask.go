package gate

import "time"

const (
	// MaxAsk bounds how long the shop may think about one order.
	MaxAsk = 2500 * time.Millisecond
	// MaxAsks is how many orders one gate asks about at once.
	MaxAsks = 512
	// AskingFor is how long an order keeps its units while the shop has not answered. Its payment
	// was never let go ahead, so it is released without a look-up.
	AskingFor = 20 * time.Second
)

// Question is one order, as the gate asks the shop about it.
type Question struct {
	URL     string
	Sale    string
	Run     int64
	Confirm *Confirm // valid only during the call
}

// Word is the shop's answer in one word.
type Word uint8

// The words. The zero value is not a yes.
const (
	NoAnswer Word = iota // or an answer that is neither yes nor no
	Yes
	No
	NotAsked
)

// Answer is the outcome of asking the shop.
type Answer struct {
	Word   Word
	Cause  Cause  // of NoAnswer and NotAsked
	Reason string // of No: the shop's sentence for the buyer; may be empty
}
