package shop

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A shop that dies closes every kept connection. A message is sent once more, not on
// each of them.
func TestAMessageIsSentOnceMoreAtMost(t *testing.T) {
	t.Parallel()
	const kept = 8
	var came, died atomic.Int64
	all := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if died.Load() > 0 {
			died.Add(1)
			panic(http.ErrAbortHandler)
		}
		if came.Add(1) == kept {
			close(all)
		}
		<-all // so that each has a connection of its own
	}))
	t.Cleanup(server.Close)
	secrets, err := ParseSecrets("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if err != nil {
		t.Fatal(err)
	}
	p := &poster{newClient(kept, 30*time.Second, nil), secrets, time.Now}
	t.Cleanup(p.close)
	var posting sync.WaitGroup
	for range kept {
		posting.Go(func() {
			if status, _, err := p.post(t.Context(), server.URL, "evt_1", 1); status != http.StatusOK || err != nil {
				t.Errorf("%d, %v", status, err)
			}
		})
	}
	posting.Wait()
	died.Store(1)
	if status, _, err := p.post(t.Context(), server.URL, "evt_2", 2); !errors.Is(err, errHungUp) || died.Load() != 3 {
		t.Errorf("it came %d times, and the answer is %d, %v", died.Load()-1, status, err)
	}
}
