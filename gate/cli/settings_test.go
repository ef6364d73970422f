package cli

import (
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/store"
)

// A setting of a sale is spelled in the struct, in the sale file, in the form that the API
// shows, in the comparison of two sales and in what Redis keeps. This holds each field against
// all of these: a new one needs a value here, and fails until it is in each.
func TestEverySettingIsReadShownComparedAndKept(t *testing.T) {
	t.Parallel()
	usual := marathon()
	others := map[string]any{ // by field: another value than the marathon has
		"OpensAt": usual.OpensAt.Add(time.Minute), "ClosesAt": usual.ClosesAt.Add(time.Minute), "Hold": 7 * time.Minute,
		"PerBuyer": usual.PerBuyer + 1, "Paused": !usual.Paused, "Accept": []string{"v2"}, "AmountOptional": true,
		"Messages": map[string]string{"closed": "끝"}, "AutoRefund": true, "Unbraked": true, "Withhold": true,
		"RefuseDeposits": true,
		"DepositLimit":   time.Hour, "ReconcileFor": 24 * time.Hour, "ReleaseUnproven": true,
		"Notify":  "https://shop.example.com/n",
		"Healthy": "https://shop.example.com/h", "Ask": "https://shop.example.com/a",
		"ShowStock": true,
		"SKUs":      []gate.SKU{{Name: "full", Stock: 1, Price: new(int64(5))}},
	}
	server, err := store.StartEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	kept, err := store.Open(server.URL(),
		store.Deps{Log: slog.New(slog.DiscardHandler)}, store.Options{Who: "test", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	for _, field := range reflect.VisibleFields(reflect.TypeFor[gate.Settings]()) {
		other, ok := others[field.Name]
		if !ok {
			t.Errorf("%s: give it a value here that is not the usual one", field.Name)
			continue
		}
		sale := marathon()
		sale.Name = strings.ToLower(field.Name)
		reflect.ValueOf(&sale.Settings).Elem().FieldByIndex(field.Index).Set(reflect.ValueOf(other))
		if sale.Equal(usual.Settings) {
			t.Errorf("%s: settings with another value are equal", field.Name)
		}
		err := kept.Create(t.Context(), gate.Creation{Who: "test", Sale: sale, OpenNow: true})
		if state, readErr := kept.Sale(t.Context(), sale.Name); err != nil || readErr != nil ||
			!state.Equal(sale.Settings) {
			t.Errorf("%s: Redis keeps %+v of %+v, %v, %v", field.Name, state.Settings, sale.Settings, err, readErr)
		}
		if field.Name == "Paused" { // of which a sale file says nothing
			continue
		}
		form, err := json.Marshal(sale.Form())
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseSale(form); err != nil || !again.Equal(sale.Settings) {
			t.Errorf("%s: the form %s is read as %+v, %v", field.Name, form, again.Settings, err)
		}
		if len(changes(usual, sale)) == 0 {
			t.Errorf("%s: another value is no change", field.Name)
		}
	}
}
