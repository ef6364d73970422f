package gate

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestOneSaleIsWorkedForOnceAtATimeAndSeveralTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		settings := &Settings{}
		var mu sync.Mutex
		at, begun, most := map[string]int{}, map[string]int{}, 0
		var all atomic.Int64
		go func() {
			time.Sleep(10*time.Second + time.Millisecond)
			stop()
		}()
		PerSale(ctx, time.Second,
			func() map[string]*Settings { return map[string]*Settings{"slow": settings, "quick": settings} },
			func(sale string, s *Settings) {
				mu.Lock()
				begun[sale]++
				at[sale]++
				if at[sale] > 1 || s != settings {
					t.Errorf("%s is worked for %d times at once", sale, at[sale])
				}
				most = max(most, at["slow"]+at["quick"])
				mu.Unlock()
				if sale == "slow" {
					Pause(context.WithoutCancel(ctx), 4500*time.Millisecond)
				} else {
					Pause(context.WithoutCancel(ctx), time.Millisecond)
				}
				mu.Lock()
				at[sale]--
				mu.Unlock()
				all.Add(1)
			})
		if begun["quick"] != 11 || begun["slow"] != 3 || most != 2 {
			t.Errorf("begun %v, at most %d at once", begun, most)
		}
		if all.Load() != 14 {
			t.Errorf("it returned when %d of 14 had ended", all.Load())
		}
	})
}

func TestAPauseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		began := time.Now()
		Pause(ctx, time.Hour)
		Pause(t.Context(), time.Minute)
		if took := time.Since(began); took != time.Second+time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}
