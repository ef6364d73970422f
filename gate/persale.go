package gate

import (
	"context"
	"sync"
	"time"
)

// PerSale calls work for each sale, once in every period, until ctx is done. Different sales are
// worked on at the same time, one sale never twice at once. PerSale returns when all calls have
// ended.
func PerSale(ctx context.Context, every time.Duration, sales func() map[string]*Settings,
	work func(sale string, settings *Settings),
) {
	var (
		mu      sync.Mutex
		busy    = map[string]bool{}
		running sync.WaitGroup
	)
	defer running.Wait()
	begin := func(sale string) bool {
		mu.Lock()
		defer mu.Unlock()
		was := busy[sale]
		busy[sale] = true
		return !was
	}
	end := func(sale string) {
		mu.Lock()
		defer mu.Unlock()
		delete(busy, sale)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		for sale, settings := range sales() {
			if begin(sale) {
				running.Go(func() {
					work(sale, settings)
					end(sale)
				})
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Pause waits for d, if that is above 0, or until ctx is done.
func Pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
