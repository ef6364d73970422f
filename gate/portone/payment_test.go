package portone_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

func TestV1PaymentsAreReadByTheirStatus(t *testing.T) {
	t.Parallel()
	fake := newFakeV1()
	c := serve(t, fake, nil)
	n := 0
	f := func(status string, more object, want gate.Payment) {
		t.Helper()
		n++
		order, attempt := fmt.Sprint("order-", n), fmt.Sprint("imp_", n)
		fake.add(v1Payment(attempt, order, status, more))
		want.Order, want.Attempt, want.Version = order, attempt, 1
		got := one(t, c, 1, order, attempt)
		if got.Err != nil || len(got.Missing) > 0 || len(got.Payments) != 1 || got.Payments[0] != want {
			t.Errorf("%s %v: got %+v, want %+v", status, more, got, want)
		}
	}
	won := gate.Payment{Amount: 110000, Currency: "KRW", Live: true}
	with := func(state gate.PaymentState, balance int64) gate.Payment {
		p := won
		p.State, p.Balance = state, balance
		return p
	}

	f("ready", nil, with(gate.PaymentReady, 0))
	f("paid", nil, with(gate.PaymentPaid, 110000))
	f("failed", nil, with(gate.PaymentFailed, 0))
	f("paid", object{"cancel_amount": 10000}, with(gate.PaymentPartCancelled, 100000))
	f("cancelled", object{"cancel_amount": 10000}, with(gate.PaymentPartCancelled, 100000))
	f("cancelled", object{"cancel_amount": 110000}, with(gate.PaymentCancelled, 0))
	f("cancelled", object{"cancel_amount": 0}, with(gate.PaymentCancelled, 0)) // an account that was never paid into

	deposit := with(gate.PaymentDeposit, 0)
	f("ready", object{"vbank_issued_at": 1780000000}, deposit)
	deposit.DepositBy = time.Unix(1780600000, 0)
	f("ready", object{"vbank_date": 1780600000, "pay_method": "vbank"}, deposit)
	deposit.DepositBy = time.Unix(gate.MaxTime/1000, 0)
	for _, far := range []int64{253402300799, math.MaxInt64} { // the year 9999, and what is no time at all
		f("ready", object{"vbank_date": far, "pay_method": "vbank"}, deposit)
	}
	f("paid", object{"vbank_date": 1780600000, "pay_method": "vbank"}, with(gate.PaymentPaid, 110000))

	test := with(gate.PaymentPaid, 110000)
	test.Live = false
	f("paid", object{"sandbox": true}, test)
	dollars := with(gate.PaymentPaid, 5)
	dollars.Currency, dollars.Amount = "USD", 5
	f("paid", object{"currency": "USD", "amount": 5.0}, dollars)
}

func TestV2PaymentsAreReadByTheirStatus(t *testing.T) {
	t.Parallel()
	fake := newFakeV2()
	c := serve(t, nil, fake)
	n := 0
	f := func(status string, more object, want gate.Payment) {
		t.Helper()
		n++
		order, attempt := fmt.Sprint("order-", n), fmt.Sprint("t-", n)
		fake.add(v2Payment(order, attempt, status, more))
		want.Order, want.Attempt, want.Version = order, attempt, 2
		got := one(t, c, 2, order, attempt)
		if got.Err != nil || len(got.Missing) > 0 || len(got.Payments) != 1 || got.Payments[0] != want {
			t.Errorf("%s %v: got %+v, want %+v", status, more, got, want)
		}
	}
	with := func(state gate.PaymentState, balance int64) gate.Payment {
		return gate.Payment{State: state, Amount: 110000, Balance: balance, Currency: "KRW", Live: true}
	}
	cancelled := func(n int) object { return object{"amount": object{"total": 110000, "cancelled": n}} }

	f("READY", nil, with(gate.PaymentReady, 0))
	f("PENDING", nil, with(gate.PaymentPending, 0))
	f("PAY_PENDING", nil, with(gate.PaymentPending, 0))
	f("PAID", nil, with(gate.PaymentPaid, 110000))
	f("PAID", object{"amount": object{"total": 110000}}, with(gate.PaymentPaid, 110000))
	f("FAILED", nil, with(gate.PaymentFailed, 0))
	f("PARTIAL_CANCELLED", cancelled(60000), with(gate.PaymentPartCancelled, 50000))
	f("CANCELLED", cancelled(110000), with(gate.PaymentCancelled, 0))
	f("CANCELLED", cancelled(0), with(gate.PaymentCancelled, 0))

	f("VIRTUAL_ACCOUNT_ISSUED", nil, with(gate.PaymentDeposit, 0))
	deposit := with(gate.PaymentDeposit, 0)
	deposit.DepositBy = time.Date(2026, 12, 3, 14, 59, 59, 0, time.UTC)
	f("VIRTUAL_ACCOUNT_ISSUED", object{"method": object{"type": "PaymentMethodVirtualAccount", "expiredAt": "2026-12-03T14:59:59Z"}}, deposit)
	deposit.DepositBy = time.UnixMilli(gate.MaxTime)
	f("VIRTUAL_ACCOUNT_ISSUED", object{"method": object{"type": "PaymentMethodVirtualAccount", "expiredAt": "9999-12-31T23:59:59Z"}}, deposit)

	test := with(gate.PaymentPaid, 110000)
	test.Live = false
	f("PAID", object{"channel": object{"type": "TEST"}}, test)
	ready := with(gate.PaymentReady, 0)
	ready.Live = false
	f("READY", object{"channel": nil}, ready)
}

func TestWhatCannotBeReadIsAnErrorAndNeverAGuess(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(), newFakeV2()
	c := serve(t, fake1, fake2)
	n := 0
	f := func(version uint8, status string, more object) {
		t.Helper()
		n++
		order := fmt.Sprint("order-", n)
		attempt := fmt.Sprint("imp_", n)
		if version == 1 {
			fake1.add(v1Payment(attempt, order, status, more))
		} else {
			fake2.add(v2Payment(order, attempt, status, more))
		}
		got := one(t, c, version, order, attempt)
		if got.Err == nil || len(got.Payments)+len(got.Missing) > 0 {
			t.Errorf("V%d %s %v: got %+v, want an error", version, status, more, got)
		}
	}

	for _, status := range []string{"", "PAID", "pending", "something new"} {
		f(1, status, nil)
	}
	for _, status := range []string{"", "paid", "PAY PENDING", "SOMETHING_NEW"} {
		f(2, status, nil)
	}
	for _, money := range []any{nil, 1.5, -1, "110000", 1e13, object{}} {
		f(1, "paid", object{"amount": money})
		f(1, "paid", object{"cancel_amount": money})
		f(2, "PAID", object{"amount": object{"total": money}})
	}
	f(2, "PAID", object{"amount": object{"total": 1, "cancelled": 0.5}})
	f(2, "PAID", object{"amount": nil})
	for _, nothing := range []any{nil, "yes", 0} {
		f(1, "paid", object{"sandbox": nothing})
	}
	f(1, "paid", object{"currency": nil})
	f(2, "PAID", object{"currency": ""})
	for _, channel := range []any{nil, object{}, object{"type": "live"}, object{"type": "SANDBOX"}} {
		f(2, "PAID", object{"channel": channel})
	}
	f(2, "READY", object{"channel": object{"type": "SANDBOX"}})
	for _, id := range []string{"", "\n", strings.Repeat("x", 65)} {
		f(1, "paid", object{"imp_uid": id})
		f(1, "paid", object{"merchant_uid": id})
		f(2, "PAID", object{"transactionId": id})
	}

	// What contradicts itself.
	f(1, "paid", object{"cancel_amount": 110000})
	f(1, "cancelled", object{"cancel_amount": 110001})
	f(2, "PAID", object{"amount": object{"total": 10, "cancelled": 5}})
	f(2, "PARTIAL_CANCELLED", object{"amount": object{"total": 10}})
	f(2, "PARTIAL_CANCELLED", object{"amount": object{"total": 10, "cancelled": 10}})
	f(2, "CANCELLED", object{"amount": object{"total": 10, "cancelled": 11}})
	f(1, "something new", object{"cancel_amount": 10000})

	fake1.add(v1Payment("imp_good", "two", "paid"))
	fake1.add(v1Payment("imp_bad", "two", "something new"))
	if got := one(t, c, 1, "two", "imp_good"); got.Err == nil || len(got.Payments) > 0 {
		t.Errorf("one of an order's payments: got %+v, want an error", got)
	}
}

func TestWhatIsAboutAnotherOrderOrCannotBeReadIsSaidSo(t *testing.T) {
	t.Parallel()
	f := func(payment, transactions any, want string) {
		t.Helper()
		fake := newFakeV2()
		fake.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/payments/o" {
				answer(w, http.StatusOK, payment)
			} else {
				answer(w, http.StatusOK, transactions)
			}
			return true
		}
		if got := one(t, serve(t, nil, fake), 2, "o", "t", "t2"); got.Err == nil || len(got.Payments)+len(got.Missing) > 0 || !strings.Contains(got.Err.Error(), want) {
			t.Errorf("%v %v: got %+v, want an error with %q", payment, transactions, got, want)
		}
	}
	f(v2Payment("other", "t", "PAID"), nil, `payment of PortOne v2: the answer is about "other"`)
	f(v2Payment("other", "t", "SOMETHING_NEW"), nil, `payment "other" of PortOne v2 cannot be read`)
	f(object{}, nil, `payment "" of PortOne v2 cannot be read`)

	list := func(items ...object) object { return object{"items": items} }
	paid := v2Payment("o", "t", "PAID")
	f(paid, nil, "no items")
	f(paid, object{"items": nil}, "no items")
	f(paid, []int{}, "transactions of PortOne v2: json")
	f(paid, json.RawMessage(`{"items":[],"items":5}`), "transactions of PortOne v2: json")
	f(paid, list(object{}), `payment "" of PortOne v2 cannot be read`)
	f(paid, list(v2Payment("t2", "", "SOMETHING_NEW", object{"paymentId": "o"})), `payment "o" of PortOne v2 cannot be read`)
	f(paid, list(v2Payment("t2", "", "PAID", object{"paymentId": "other"})), `one is about "other"`)
}
