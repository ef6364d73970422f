package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/flashgate/flashgate/gate"
	redisstore "github.com/flashgate/flashgate/gate/store"
)

func TestTheLedgerIsReadThroughTheAPI(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	const path = "/v1/sales/race/ledger"
	d.want("POST", "/v1/sales/race/pause", "", 200, "true")
	f := func(query string, want ...string) {
		t.Helper()
		var entries []gate.EntryView
		if err := json.Unmarshal([]byte(d.want("GET", path+query, "", 200, "[")), &entries); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, fmt.Sprintf("%d %s %s", e.Seq, e.Kind, e.Who))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s shows %q, want %q", query, got, want)
		}
	}
	f("", "1 create test", "2 pause kim")
	f("?since=1", "2 pause kim")
	f("?since=2")
	for _, since := range []string{"first", "-1", "1.5"} {
		d.want("GET", path+"?since="+since, "", 400, "must be the seq of an entry")
	}
	d.want("GET", "/v1/sales/swim/ledger", "", 404,
		"there is no sale swim: did you mean race? flashgate apply creates one")
}

// batches is a store whose ledger has as many entries as anybody reads, each of
// a thousand orders.
type batches struct {
	*redisstore.Store
	fails error // comes after the third of them
}

func (b batches) Ledger(_ context.Context, _ string, from int64) iter.Seq2[*gate.Entry, error] {
	return func(yield func(*gate.Entry, error) bool) {
		for seq := from; ; seq++ {
			if b.fails != nil && seq == from+3 {
				yield(nil, b.fails)
				return
			}
			if !yield(&gate.Entry{Seq: seq, Kind: "confirm", Orders: make([]gate.Order, 1000)}, nil) {
				return
			}
		}
	}
}

func TestALedgerIsShownPieceByPiece(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(o *adminConfig) { o.Sales = batches{Store: o.Sales.(*redisstore.Store)} })
	var entries []gate.EntryView
	if err := json.Unmarshal([]byte(d.want("GET", "/v1/sales/race/ledger?since=7", "", 200, "[")),
		&entries); err != nil {
		t.Fatal(err)
	}
	if len(entries) != ledgerMost/1001+1 || entries[0].Seq != 8 {
		t.Errorf("%d entries of 1000 orders each from %d on", len(entries), entries[0].Seq)
	}
}

func TestALedgerThatCannotBeReadIsNoShortOne(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(o *adminConfig) {
		o.Sales = batches{Store: o.Sales.(*redisstore.Store), fails: errors.New("Redis is away")}
	})
	d.want("GET", "/v1/sales/race/ledger", "", 503, "Redis is away")
}
