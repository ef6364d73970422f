package gate

import "time"

const (
	// MaxAsk bounds how long the shop may think about one order.
	MaxAsk = 2500 * time.Millisecond
	// MaxAsks is how many orders one gate asks about at once.
	MaxAsks = 512
	// AskingFor is how long an order keeps its units that the shop was asked about
	// and has not answered. Nobody was told yes, so it is released without a look-up.
	AskingFor = 20 * time.Second
)

// Question is an order that the shop is asked about.
type Question struct {
	URL     string
	Sale    string
	Run     int64
	Confirm *Confirm // which must not be kept
}

// Word is what the shop said.
type Word uint8

// The words. The zero value is no yes.
const (
	NoAnswer Word = iota // or none that says yes or no
	Yes
	No
	NotAsked
)

// Answer is what asking the shop came to.
type Answer struct {
	Word   Word
	Cause  Cause  // of NoAnswer and NotAsked
	Reason string // of No: what the shop wants the buyer to read; may be empty
}
