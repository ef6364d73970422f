package shop

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestTheTimeBetweenTriesDoublesWithinBounds(t *testing.T) {
	t.Parallel()
	f := func(tries int, middle time.Duration) {
		t.Helper()
		seen := map[time.Duration]bool{}
		for range 100 {
			d := backoff(tries, maxBackoff)
			if d < middle/2 || d > middle*3/2 {
				t.Errorf("after %d tries: %v, want about %v", tries, d, middle)
			}
			seen[d] = true
		}
		if len(seen) < 50 {
			t.Errorf("after %d tries: only %d different times", tries, len(seen))
		}
	}
	f(1, time.Second)
	f(2, 2*time.Second)
	f(9, 256*time.Second)
	f(10, 5*time.Minute)
	f(1_000_000, 5*time.Minute)
}

func TestAnErrorIsKeptShort(t *testing.T) {
	t.Parallel()
	text := problem(errors.New("1" + strings.Repeat("주", 200)))
	if len(text) > maxProblem+len("…") || !utf8.ValidString(text) || !strings.HasSuffix(text, "주…") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
	if text := problem(errors.New("short")); text != "short" {
		t.Error(text)
	}
}
