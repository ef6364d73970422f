package gate

import (
	"context"
	"log/slog"
	"time"
)

// The bounds of a wait: after a short fault the first try comes at once, and a long fault is not
// made worse by many tries.
const minBackoff, maxBackoff = 100 * time.Millisecond, 5 * time.Second

// Backoff is the pause between tries of a call that fails: short at first, then twice as long each
// time. The zero value is ready to use.
type Backoff struct{ next time.Duration }

// Next returns how long the next Wait takes.
func (b *Backoff) Next() time.Duration { return max(b.next, minBackoff) }

// Level is the log level for the failure before the next wait: a warning at first, an error once it
// lasts.
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
