package launch

import (
	"math"
	"testing"
	"time"
)

func TestAShapeSendsItsRequestsWhenTheyAreDue(t *testing.T) {
	t.Parallel()
	// sent maps a time in the run to how many requests are due until then.
	f := func(name string, peak float64, duration time.Duration, sent map[time.Duration]int) {
		s, err := NewShape(name, peak, duration)
		if err != nil {
			t.Fatal(err)
		}
		for at, want := range sent {
			got, last := 0, time.Duration(-1)
			for got < s.Requests() && s.Due(got) < at {
				if due := s.Due(got); due < last {
					t.Fatalf("%s: request %d is due at %s, before the one before it", name, got, due)
				} else {
					last = due
				}
				got++
			}
			if math.Abs(float64(got-want)) > 1 {
				t.Errorf("%s: %d requests in the first %s, want %d", name, got, at, want)
			}
		}
	}
	f("steady", 100, 10*time.Second, map[time.Duration]int{time.Second: 100, 5 * time.Second: 500, time.Minute: 1000})
	f("ramp", 100, 10*time.Second, map[time.Duration]int{time.Second: 5, 5 * time.Second: 125, time.Minute: 500})
	f("launch", 1000, 10*time.Second, map[time.Duration]int{
		2500 * time.Millisecond: 125,  // a trickle of 50/s
		5 * time.Second:         2625, // 2.5 s at the peak
		8 * time.Second:         4275, // falling for 3 s from 1000/s to 100/s
		time.Minute:             4475,
	})
}

func TestAShapePacesVegeta(t *testing.T) {
	t.Parallel()
	s, err := NewShape("steady", 10, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	f := func(elapsed time.Duration, sent uint64, want time.Duration, stop bool) {
		if wait, stopped := s.Pace(elapsed, sent); wait != want || stopped != stop {
			t.Errorf("after %s and %d requests: %s, %v; want %s, %v", elapsed, sent, wait, stopped, want, stop)
		}
	}
	f(0, 0, 0, false)
	f(0, 1, 100*time.Millisecond, false)
	f(450*time.Millisecond, 5, 50*time.Millisecond, false)
	f(800*time.Millisecond, 5, 0, false) // behind: at once
	f(900*time.Millisecond, 10, 0, true)
}

func TestAShapeTellsItsRate(t *testing.T) {
	t.Parallel()
	f := func(name string, at time.Duration, want float64) {
		s, err := NewShape(name, 1000, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Rate(at); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s at %s: %v, want %v", name, at, got, want)
		}
	}
	f("launch", time.Second, 50)
	f("launch", 4*time.Second, 1000)
	f("launch", 6500*time.Millisecond, 550)
	f("launch", 9*time.Second, 100)
	f("ramp", 5*time.Second, 500)
	f("steady", 5*time.Second, 1000)
	f("steady", 11*time.Second, 0)
}

func TestAShapeIsAsLongAsItsRequestsNeed(t *testing.T) {
	t.Parallel()
	for _, name := range Shapes() {
		for _, requests := range []int{1, 7, 1000, 20_000} {
			s, err := ShapeFor(name, 300, requests)
			if err != nil || s.Requests() != requests || s.Due(requests-1) > s.Duration() {
				t.Errorf("%s for %d requests: %d in %s, %v", name, requests, s.Requests(), s.Duration(), err)
			}
		}
	}
}

func TestAShapeThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	f := func(name string, peak float64, duration time.Duration) {
		if _, err := NewShape(name, peak, duration); err == nil {
			t.Errorf("%s at %v over %s is taken", name, peak, duration)
		}
	}
	f("square", 1, time.Second)
	f("steady", 0, time.Second)
	f("steady", math.NaN(), time.Second)
	f("steady", math.Inf(1), time.Second)
	f("steady", 1, 0)
}
