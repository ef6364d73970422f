package deploy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// flood is buyers who confirm one order after the other, some forty a second at
// each gate, until it is stopped.
type flood struct {
	buyers sync.WaitGroup
	over   chan struct{}
	end    sync.Once

	mu       sync.Mutex                // over what follows
	codes    map[string]map[string]int // by gate: how often each code was answered
	promised map[string]bool           // orders that were answered 200
	wrong    []string                  // answers that no gate may give
}

func newFlood(gates ...string) *flood {
	f := &flood{over: make(chan struct{}), codes: map[string]map[string]int{}, promised: map[string]bool{}}
	for _, gate := range gates {
		f.codes[gate] = map[string]int{}
	}
	return f
}

// come has buyers come to a gate's confirm URL.
func (f *flood) come(gate string, client *http.Client, url string) {
	for buyer := range 4 {
		f.buyers.Go(func() {
			pace := time.NewTicker(100 * time.Millisecond)
			defer pace.Stop()
			for i := 0; ; i++ {
				f.confirm(gate, client, url, fmt.Sprint(gate, "-", buyer, "-", i))
				select {
				case <-pace.C:
				case <-f.over:
					return
				}
			}
		})
	}
}

func (f *flood) confirm(gate string, client *http.Client, url, order string) {
	sent := time.Now()
	answer, err := client.Post(url, "application/json",
		strings.NewReader(fmt.Sprintf(`{"imp_uid":"imp_%s","merchant_uid":%q,"amount":1000}`, order, order)))
	var said struct{ Code string }
	status := 0
	if err == nil {
		err = json.NewDecoder(answer.Body).Decode(&said)
		answer.Body.Close()
		status = answer.StatusCode
	}
	took := time.Since(sent)

	f.mu.Lock()
	defer f.mu.Unlock()
	f.codes[gate][said.Code]++
	if status == http.StatusOK {
		f.promised[order] = true
	}
	known := slices.Contains([]string{"held", "sold_out", "unavailable", "not_durable", "busy"}, said.Code)
	// which is how long PortOne waits at least
	if err != nil || !known || (status == http.StatusOK) != (said.Code == "held") || took > 5*time.Second {
		f.wrong = append(f.wrong,
			fmt.Sprintf("%s at the gate %s: %d %q after %v, %v", order, gate, status, said.Code, took, err))
	}
}

// stop sends the buyers home.
func (f *flood) stop() {
	f.end.Do(func() { close(f.over) })
	f.buyers.Wait()
}

// promises returns how many orders were answered 200.
func (f *flood) promises() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.promised)
}

func (f *flood) count(gate, code string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.codes[gate][code]
}

// await waits for more answers of a gate with a code.
func (f *flood) await(t *testing.T, gate, code string) {
	t.Helper()
	before := f.count(gate, code)
	await(t, fmt.Sprintf("the gate %s to answer %s", gate, code), func() error {
		if now := f.count(gate, code); now < before+5 {
			return fmt.Errorf("it did so %d times, %d of them before", now, before)
		}
		return nil
	})
}
