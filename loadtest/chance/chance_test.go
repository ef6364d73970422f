package chance_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/flashgate/flashgate/loadtest/chance"
)

// Rehearsals of one seed are compared over versions, so what is drawn stays.
func TestADrawIsTheSameForTheSameSeedAndWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		seed  uint64
		words []string
		want  string
	}{
		{1, []string{"word", "ORD1"}, "0.571"},
		{2, []string{"word", "ORD1"}, "0.724"},
		{1, []string{"reason", "ORD1"}, "0.512"},
	} {
		if got := fmt.Sprintf("%.3f", chance.Draw(test.seed, test.words...)); got != test.want {
			t.Errorf("%d %q: drew %s, want %s", test.seed, test.words, got, test.want)
		}
	}
	if chance.Hash(1, "a", "b") == chance.Hash(1, "ab") {
		t.Error("words run into each other")
	}
}

func TestADrawFallsIntoOneShare(t *testing.T) {
	t.Parallel()
	for draw, want := range map[float64]int{0: 1, 0.19: 1, 0.21: 2, 0.49: 2, 0.51: -1, 0.99: -1} {
		if got := chance.Pick(draw, 0, .2, .3); got != want {
			t.Errorf("%v falls into %d, want %d", draw, got, want)
		}
	}
}

func TestSharesThatAreNoneAreNamed(t *testing.T) {
	t.Parallel()
	share := func(of float64) chance.Share { return chance.Share{Flag: "--lost", Of: of} }
	for _, of := range []float64{0, .5, 1} {
		if err := chance.Check(share(of)); err != nil {
			t.Error(err)
		}
	}
	for _, of := range []float64{-.1, 1.1, math.NaN(), math.Inf(1)} {
		err, want := chance.Check(share(0), share(of)), fmt.Sprintf("--lost %v: must be a share from 0 to 1", of)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	three := []chance.Share{{Flag: "--a", Of: .5}, {Flag: "--b", Of: .25}, {Flag: "--c", Of: .25}}
	if err := chance.CheckTogether(three...); err != nil {
		t.Error(err)
	}
	three[2].Of = .5
	err, want := chance.CheckTogether(three...), "--a, --b and --c are 1.25 together: must be at most 1"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
