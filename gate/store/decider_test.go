package store

import (
	"fmt"
	"log/slog"
	"strconv"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/redistest"
)

// BenchmarkDecide measures a call that sells to new orders, by the size of its
// batch, from the arguments to the verdicts.
func BenchmarkDecide(b *testing.B) {
	server := redistest.Start(b)
	s, err := Open(server.URL(), Deps{Log: slog.New(slog.DiscardHandler)}, Options{Who: "gate"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	sale := marathon(1, gate.SKU{Name: "full", Stock: gate.MaxUnits})
	sale.PerBuyer = 2
	if err := s.Create(b.Context(), gate.Creation{Who: "gate", Sale: sale, OpenNow: true}); err != nil {
		b.Fatal(err)
	}
	sold := int64(1e9)
	for _, size := range []int{1, 8, 48, 256} {
		b.Run(fmt.Sprint("batch-", size), func(b *testing.B) {
			d := s.Decider("marathon")
			defer d.Close()
			batch := make([]*gate.Request, size)
			for i := range batch {
				batch[i] = &gate.Request{Confirm: gate.Confirm{
					Lines: []gate.Line{{SKU: "full", Quantity: 1}}, Amount: gate.Amount{Value: 110_000, Known: true},
				}}
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, r := range batch {
					sold++
					c := &r.Confirm
					c.Order = strconv.AppendInt(append(c.Order[:0], "ORD2026"...), sold, 10)
					c.Attempt = strconv.AppendInt(append(c.Attempt[:0], "imp_44"...), sold, 10)
					c.Buyer = strconv.AppendInt(append(c.Buyer[:0], 'u'), sold, 10)
				}
				if err := d.Decide(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				if v := batch[size-1].Verdict(); v.Code != gate.Held {
					b.Fatalf("order %s was refused: %s", batch[size-1].Confirm.Order, v.Code)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/decision")
		})
	}
}
