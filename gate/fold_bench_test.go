package gate

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// What a copy of a sale of a million orders costs, with ids as long as PortOne's and a buyer for
// each order: bytes/order is memory that is kept.
func BenchmarkAMillionOrders(b *testing.B) {
	const orders = 1_000_000
	for b.Loop() {
		before := heap()
		f := NewFold("race")
		for i := range orders {
			o := Order{
				ID: fmt.Sprintf("ORD20261201%06d",
					i), State: OrderHeld, Revision: 1, Buyer: fmt.Sprintf("member-%08d", i),
				Lines:    []Line{{SKU: "ticket", Quantity: 1}},
				Amount:   Amount{Value: 110_000, Known: true},
				Attempts: []Attempt{{ID: fmt.Sprintf("imp_%012d", i), State: AttemptOpen, Version: V1}},
				Taken:    time.UnixMilli(1795962785000), Deadline: time.UnixMilli(1795962785000 + 300_000),
			}
			f.Learn(Change{o.ID, string(AppendRecord(nil, &o))}, 1)
		}
		b.ReportMetric(float64(heap()-before)/orders, "bytes/order")
		runtime.KeepAlive(f)
	}
}

// heap returns the bytes that are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
