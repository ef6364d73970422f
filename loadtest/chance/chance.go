// Package chance draws what goes wrong in a rehearsal. The same seed and words always draw the same, in whatever order
// they are drawn.
package chance

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Hash is what everything is drawn from.
func Hash(seed uint64, words ...string) [sha256.Size]byte {
	text := strconv.FormatUint(seed, 10)
	for _, word := range words {
		text += "\x00" + word
	}
	return sha256.Sum256([]byte(text))
}

// Draw returns a number from 0 to below 1.
func Draw(seed uint64, words ...string) float64 {
	sum := Hash(seed, words...)
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

// Pick divides the numbers from 0 to 1 into the shares, and returns the index of the share that a draw falls into; -1
// if it falls into none.
func Pick(draw float64, shares ...float64) int {
	for i, share := range shares {
		if draw < share {
			return i
		}
		draw -= share
	}
	return -1
}

// Share is how much of something goes wrong, as a flag says.
type Share struct {
	Flag string // with its dashes
	Of   float64
}

// Check returns an error about the first share that is not from 0 to 1.
func Check(shares ...Share) error {
	for _, s := range shares {
		if !(s.Of >= 0 && s.Of <= 1) {
			return fmt.Errorf("%s %v: must be a share from 0 to 1", s.Flag, s.Of)
		}
	}
	return nil
}

// CheckTogether returns an error if shares that exclude each other are more than 1 together.
func CheckTogether(shares ...Share) error {
	var flags []string
	sum := 0.0
	for _, s := range shares {
		flags, sum = append(flags, s.Flag), sum+s.Of
	}
	if sum <= 1+1e-9 {
		return nil
	}
	last := len(flags) - 1
	return fmt.Errorf("%s and %s are %v together: must be at most 1", strings.Join(flags[:last], ", "),
		flags[last], sum)
}
