package gate

import "testing"

func TestDistance(t *testing.T) {
	t.Parallel()
	for words, want := range map[[2]string]int{
		{"", ""}: 0, {"a", ""}: 1, {"", "abc"}: 3, {"abc", "abc"}: 0, {"abc", "abd"}: 1, {"abc", "bc"}: 1,
		{"kitten", "sitting"}: 3, {"flaw", "lawn"}: 2,
	} {
		if got := distance(words[0], words[1]); got != want {
			t.Errorf("%q: %d, want %d", words, got, want)
		}
	}
}

func TestTheNearestAreNamed(t *testing.T) {
	t.Parallel()
	f := func(text, want string, words ...string) {
		t.Helper()
		if got := DidYouMean(text, words); got != want {
			t.Errorf("%s of %q: %q, want %q", text, words, got, want)
		}
	}
	f("rase", "")
	f("rase", "did you mean race?", "race")
	f("rase", "did you mean race or swim?", "swim", "race")
	f("rase", "did you mean race, rate or tale?", "swim", "tale", "rate", "race")
}
