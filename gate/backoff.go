package gate

import (
	"context"
	"log/slog"
	"time"
)

// A fault that passes is made up for at once, and one that lasts is not made worse.
const minBackoff, maxBackoff = 100 * time.Millisecond, 5 * time.Second

// Backoff is the waiting between tries of what fails: briefly at first, then twice as
// long each time. The zero value is ready to use.
type Backoff struct{ next time.Duration }

// Next returns how long Wait waits next.
func (b *Backoff) Next() time.Duration { return max(b.next, minBackoff) }

// Level is how loud the failure before the next wait is told: one that passes is only a
// warning.
func (b *Backoff) Level() slog.Level {
	if b.Next() == maxBackoff {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// Wait waits, but not after ctx is done.
func (b *Backoff) Wait(ctx context.Context) {
	wait := b.Next()
	b.next = min(2*wait, maxBackoff)
	Pause(ctx, wait)
}
