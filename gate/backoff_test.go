package gate

import (
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatFailsIsTriedSoonAndThenMoreSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b Backoff
		var waits []time.Duration
		for range 8 {
			want := slog.LevelWarn
			if b.Next() == 5*time.Second {
				want = slog.LevelError
			}
			if b.Level() != want {
				t.Errorf("before %s it is told as %s, want %s", b.Next(), b.Level(), want)
			}
			began, next := time.Now(), b.Next()
			b.Wait(t.Context())
			if took := time.Since(began); took != next {
				t.Errorf("waited %s, want %s", took, next)
			}
			waits = append(waits, next/time.Millisecond)
		}
		if want := []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000}; !slices.Equal(waits, want) {
			t.Errorf("waited %d ms, want %d", waits, want)
		}
	})
}
