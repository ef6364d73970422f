package portone_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/portone"
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

	// A cancellation is in the history as soon as it is requested, and counted when it is done.
	asked := func(p gate.Payment, n int64) gate.Payment {
		p.Requested = n
		return p
	}
	history := func(cancelled int, amounts ...any) object {
		list := []object{}
		for _, amount := range amounts {
			list = append(list, object{
				"amount": amount, "pg_tid": "x", "reason": "품절", "cancelled_at": 1780000000,
				"cancellation_id": "c",
			})
		}
		return object{"cancel_amount": cancelled, "cancel_history": list}
	}
	f("paid", history(0, 110000), asked(with(gate.PaymentPaid, 110000), 110000))
	f("paid", history(0, 10000), asked(with(gate.PaymentPaid, 110000), 10000))
	f("paid", history(10000, 10000), with(gate.PaymentPartCancelled, 100000))
	f("paid", history(10000, 10000, 100000), asked(with(gate.PaymentPartCancelled, 100000), 100000))
	f("paid", history(10000), with(gate.PaymentPartCancelled, 100000))
	f("paid", history(0, 200000), asked(with(gate.PaymentPaid, 110000), 110000))
	f("cancelled", history(110000, 110000), with(gate.PaymentCancelled, 0))
	f("paid", object{"cancel_history": nil}, with(gate.PaymentPaid, 110000))

	deposit := with(gate.PaymentDeposit, 0)
	f("ready", object{"vbank_issued_at": 1780000000}, deposit)
	deposit.DepositBy, deposit.Deposited = time.Unix(1780600000, 0), true
	f("ready", object{"vbank_date": 1780600000, "pay_method": "vbank"}, deposit)
	deposit.DepositBy = time.Unix(gate.MaxTime/1000, 0)
	for _, far := range []int64{253402300799, math.MaxInt64} { // the year 9999, and what is no time at all
		f("ready", object{"vbank_date": far, "pay_method": "vbank"}, deposit)
	}
	deposited := with(gate.PaymentPaid, 110000)
	deposited.Deposited = true
	f("paid", object{"vbank_date": 1780600000, "pay_method": "vbank"}, deposited)

	test := with(gate.PaymentPaid, 110000)
	test.Live = false
	f("paid", object{"sandbox": true}, test)
	dollars := with(gate.PaymentPaid, 5)
	dollars.Currency, dollars.Amount = "USD", 5
	f("paid", object{"currency": "USD", "amount": 5.0}, dollars)
	dollars.AmountCents, dollars.BalanceCents = 7, 7
	f("paid", object{"currency": "USD", "amount": json.Number("5.07")}, dollars)
	f("paid", object{"currency": "USD", "amount": json.Number("5.070")}, dollars)
	f("paid", object{"currency": "USD", "amount": json.Number("0.507e1")}, dollars)
	dollars.State, dollars.Balance, dollars.BalanceCents = gate.PaymentPartCancelled, 4, 98
	f("paid", object{"currency": "USD", "amount": json.Number("5.07"), "cancel_amount": json.Number("0.09")}, dollars)
	most := with(gate.PaymentPaid, 999_999_999_999)
	most.Amount, most.AmountCents, most.BalanceCents = most.Balance, 99, 99
	f("paid", object{"amount": json.Number("999999999999.99")}, most)
	f("paid", object{"amount": json.Number("5.07"), "cancel_history": []object{{"amount": json.Number("0.01")}}},
		gate.Payment{
			State: gate.PaymentPaid, Amount: 5, AmountCents: 7, Balance: 5, BalanceCents: 7, Requested: 1,
			Currency: "KRW", Live: true,
		})
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

	asked := func(p gate.Payment, n int64) gate.Payment {
		p.Requested = n
		return p
	}
	history := func(cancelled int, all ...object) object {
		return object{"amount": object{"total": 110000, "cancelled": cancelled}, "cancellations": all}
	}
	taxFree := with(gate.PaymentPaid, 110000)
	taxFree.TaxFree = 10000
	f("PAID", object{"amount": object{"total": 110000, "taxFree": 10000}}, taxFree)
	f("PAID", object{"amount": object{"total": 110000, "taxFree": 12000, "cancelledTaxFree": 2000}}, taxFree)
	taxFree.TaxFree = 110000
	f("PAID", object{"amount": object{"total": 110000, "taxFree": 110000}}, taxFree)
	taxFree = with(gate.PaymentPartCancelled, 50000)
	taxFree.TaxFree = 50000
	f("PARTIAL_CANCELLED", object{"amount": object{
		"total": 110000, "cancelled": 60000, "taxFree": 110000,
		"cancelledTaxFree": 0,
	}}, taxFree)
	f("CANCELLED", object{"amount": object{"total": 110000, "cancelled": 110000, "taxFree": 10000}},
		with(gate.PaymentCancelled, 0))

	of := func(status string, amount any) object {
		return object{"status": status, "id": "c", "totalAmount": amount}
	}
	f("PAID", history(0, of("REQUESTED", 110000)), asked(with(gate.PaymentPaid, 110000), 110000))
	f("PAID", history(0, of("FAILED", 110000)), with(gate.PaymentPaid, 110000))
	f("PAID", history(0, of("FAILED", 110000), of("REQUESTED", 10000)), asked(with(gate.PaymentPaid, 110000), 10000))
	f("PAID", history(0, of("SOMETHING_NEW", 110000)), asked(with(gate.PaymentPaid, 110000), 110000))
	f("PARTIAL_CANCELLED", history(60000, of("SUCCEEDED", 60000)), with(gate.PaymentPartCancelled, 50000))
	f("PARTIAL_CANCELLED", history(60000, of("SUCCEEDED", 60000), of("REQUESTED", 50000)),
		asked(with(gate.PaymentPartCancelled, 50000), 50000))
	f("CANCELLED", history(110000, of("SUCCEEDED", 110000)), with(gate.PaymentCancelled, 0))
	f("PAID", object{"cancellations": nil}, with(gate.PaymentPaid, 110000))

	f("VIRTUAL_ACCOUNT_ISSUED", nil, with(gate.PaymentDeposit, 0))
	deposit := with(gate.PaymentDeposit, 0)
	deposit.DepositBy, deposit.Deposited = time.Date(2026, 12, 3, 14, 59, 59, 0, time.UTC), true
	f("VIRTUAL_ACCOUNT_ISSUED",
		object{"method": object{"type": "PaymentMethodVirtualAccount", "expiredAt": "2026-12-03T14:59:59Z"}}, deposit)
	deposit.DepositBy = time.UnixMilli(gate.MaxTime)
	f("VIRTUAL_ACCOUNT_ISSUED",
		object{"method": object{"type": "PaymentMethodVirtualAccount", "expiredAt": "9999-12-31T23:59:59Z"}}, deposit)

	account := func(status any) object {
		return object{
			"amount": object{"total": 110000, "cancelled": 110000},
			"method": object{"type": "PaymentMethodVirtualAccount", "refundStatus": status},
		}
	}
	back := func(state gate.PaymentState, status string) gate.Payment {
		p := with(state, 0)
		p.Deposited, p.RefundStatus = true, status
		return p
	}
	f("CANCELLED", account(nil), back(gate.PaymentCancelled, ""))
	f("CANCELLED", account("COMPLETED"), back(gate.PaymentCancelled, ""))
	f("CANCELLED", account("PENDING"), back(gate.PaymentRefunding, "PENDING"))
	f("CANCELLED", account("SOMETHING_NEW"), back(gate.PaymentRefunding, "SOMETHING_NEW"))
	f("CANCELLED", account("FAILED"), back(gate.PaymentStranded, "FAILED"))
	f("CANCELLED", account("PARTIAL_REFUND_FAILED"), back(gate.PaymentStranded, "PARTIAL_REFUND_FAILED"))
	// the shop gave a part back by itself
	for _, status := range []string{"PENDING", "PARTIAL_REFUND_FAILED", "FAILED", "COMPLETED"} {
		part := with(gate.PaymentPartCancelled, 50000)
		part.Deposited = true
		more := account(status)
		more["amount"] = object{"total": 110000, "cancelled": 60000}
		f("PARTIAL_CANCELLED", more, part)
	}

	test := with(gate.PaymentPaid, 110000)
	test.Live = false
	f("PAID", object{"channel": object{"type": "TEST"}}, test)
	ready := with(gate.PaymentReady, 0)
	ready.Live = false
	f("READY", object{"channel": nil}, ready)
}

func TestDisputesAndChargebacksAreRead(t *testing.T) {
	t.Parallel()
	fake := newFakeV2()
	c := serve(t, nil, fake)
	n := 0
	f := func(status string, more object, state gate.PaymentState, want ...gate.Dispute) {
		t.Helper()
		n++
		order, attempt := fmt.Sprint("order-", n), fmt.Sprint("t-", n)
		fake.add(v2Payment(order, attempt, status, more))
		got := one(t, c, 2, order, attempt)
		if got.Err != nil || len(got.Payments) != 1 || got.Payments[0].State != state {
			t.Fatalf("%s %v: got %+v", status, more, got)
		}
		for i := range want {
			want[i].Attempt = attempt
		}
		disputes := got.Payments[0].Disputes
		if (disputes == nil) != (len(want) == 0) || disputes != nil && !slices.Equal(disputes.All, want) {
			t.Errorf("%s %v: got %+v, want %+v", status, more, disputes, want)
		}
	}
	const begun = "2026-12-02T10:00:00+09:00"
	at := time.Date(2026, 12, 2, 1, 0, 0, 0, time.UTC)
	dispute := func(status string, more ...object) object {
		d := object{"status": status, "reason": "not me", "createdAt": begun, "pgDisputeId": "d-1"}
		for _, m := range more {
			for name, value := range m {
				d[name] = value
			}
		}
		return d
	}
	of := func(all ...object) object { return object{"disputes": all} }
	disputed := gate.Dispute{Kind: gate.Disputed, Reason: "not me", ID: "d-1", At: at}
	f("PAID", of(), gate.PaymentPaid)
	f("PAID", of(dispute("UNRESOLVED")), gate.PaymentPaid, disputed)
	f("PAID", of(dispute("SOMETHING_NEW")), gate.PaymentPaid, disputed)
	f("PAID", of(dispute("RESOLVED")), gate.PaymentPaid)
	f("PAID", of(dispute("RESOLVED"), dispute("UNRESOLVED")), gate.PaymentPaid, disputed)
	f("PAID", of(dispute("UNRESOLVED", object{"createdAt": "once", "pgDisputeId": nil, "reason": "a\nb"})),
		gate.PaymentPaid,
		gate.Dispute{Kind: gate.Disputed, Reason: "a b"})
	many := make([]object, 100)
	for i := range many {
		many[i] = dispute("UNRESOLVED")
	}
	f("PAID", of(many...), gate.PaymentPaid, slices.Repeat([]gate.Dispute{disputed}, 10)...)

	back := func(amount, cancelled int, status, trigger string) object {
		return object{"amount": object{"total": 110000, "cancelled": cancelled}, "cancellations": []object{
			{
				"status": status, "id": "c-1", "totalAmount": amount, "trigger": trigger, "reason": "lost",
				"cancelledAt": begun,
			},
		}}
	}
	taken := func(amount int64) gate.Dispute {
		return gate.Dispute{Kind: gate.ChargedBack, Reason: "lost", ID: "c-1", Amount: amount, At: at}
	}
	f("CANCELLED", back(110000, 110000, "SUCCEEDED", "CHARGEBACK"), gate.PaymentChargedBack, taken(110000))
	f("CANCELLED", back(110000, 110000, "SUCCEEDED", "CONSOLE"), gate.PaymentCancelled)
	f("CANCELLED", back(110000, 110000, "SUCCEEDED", ""), gate.PaymentCancelled)
	f("PARTIAL_CANCELLED", back(60000, 60000, "SUCCEEDED", "CHARGEBACK"), gate.PaymentPartCancelled, taken(60000))
	f("PAID", back(60000, 0, "FAILED", "CHARGEBACK"), gate.PaymentPaid)
	f("PAID", back(60000, 0, "REQUESTED", "CHARGEBACK"), gate.PaymentPaid)
}

// A transaction of V2's that is paid has no cancellations; its payment has.
func TestACancellationIsSeenWhereAnOrderHasSeveralAttempts(t *testing.T) {
	t.Parallel()
	fake := newFakeV2(v2Payment("o", "t1", "FAILED"), v2Payment("o", "t2", "PAID"))
	fake.payments["o"] = v2Payment("o", "t2", "PAID",
		object{"cancellations": []object{{"status": "REQUESTED", "totalAmount": 110000}}})
	got := one(t, serve(t, nil, fake), 2, "o", "t1", "t2")
	if got.Err != nil || len(got.Payments) != 2 || got.Payments[1].Attempt != "t2" ||
		got.Payments[1].Requested != 110000 {
		t.Errorf("got %+v", got)
	}
}

func TestWhatCannotBeReadIsAnErrorAndNeverAGuess(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(), newFakeV2()
	c := serve(t, fake1, fake2)
	n := 0
	f := func(version gate.Version, status string, more object) {
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
	for _, money := range []any{nil, 1.005, -1, "110000", 1e13, object{}} {
		f(1, "paid", object{"amount": money})
		f(1, "paid", object{"cancel_amount": money})
		f(1, "paid", object{"cancel_history": []object{{"amount": money}}})
		f(2, "PAID", object{"amount": object{"total": money}})
	}
	f(1, "paid", object{"amount": json.Number("1000000000000.01")})
	f(2, "PAID", object{"amount": object{"total": 1.5}})
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
}

// An attempt that cannot be read, such as one in an amount that the gate does not know,
// leaves the order's others as they are, and says nothing at all where it was never
// confirmed here.
func TestAnAttemptThatCannotBeReadLeavesTheOthersReadable(t *testing.T) {
	t.Parallel()
	fake1 := newFakeV1(v1Payment("imp_1", "o", "paid"),
		v1Payment("imp_2", "o", "paid", object{"amount": json.Number("1.005")}))
	fake2 := newFakeV2(v2Payment("o", "t2", "FAILED", object{"amount": object{"total": 1.5}}),
		v2Payment("o", "t1", "PAID"))
	for i := range 30 {
		fake1.add(v1Payment(fmt.Sprint("imp_more_", i), fmt.Sprint("more", i), "paid"))
	}
	c := serve(t, fake1, fake2)
	f := func(version gate.Version, others int, want string, attempts ...string) {
		t.Helper()
		queries := []portone.Query{{Order: "o", Version: version, Attempts: attempts}}
		for i := range others {
			queries = append(queries, portone.Query{
				Order: fmt.Sprint("more", i), Version: version,
				Attempts: []string{fmt.Sprint("imp_more_", i)},
			})
		}
		got := c.Lookup(t.Context(), queries)[0]
		var texts []string
		for _, p := range got.Payments {
			texts = append(texts, p.Attempt+" "+p.State.String())
		}
		if got.Err != nil {
			texts = append(texts, "error")
		}
		if text := strings.Join(append(texts, got.Missing...), ", "); text != want ||
			(got.Doubt(queries[0]) != nil) != (got.Err != nil) {
			t.Errorf("V%d, %v beside %d others: %s (%v), want %s", version, attempts, others, text, got.Err, want)
		}
	}
	f(1, 0, "imp_1 paid", "imp_1")
	f(1, 0, "imp_1 paid, error", "imp_1", "imp_2")
	f(1, 30, "imp_1 paid, error", "imp_1", "imp_2")
	f(1, 0, "imp_1 paid, error", "imp_2")
	f(1, 0, "imp_1 paid, imp_9", "imp_1", "imp_9")
	f(2, 0, "t1 paid", "t1")
	f(2, 0, "t1 paid, error", "t1", "t2")
	f(2, 0, "t1 paid, t9", "t1", "t9")

	// One of which not even the attempt can be read may be any.
	fake1.add(v1Payment("", "o", "paid"))
	f(1, 0, "imp_1 paid", "imp_1")
	f(1, 0, "imp_1 paid, error", "imp_1", "imp_9")
	fake2.add(v2Payment("o", "", "FAILED"))
	fake2.add(v2Payment("o", "t1", "PAID"))
	f(2, 0, "t1 paid", "t1")
	f(2, 0, "t1 paid, error", "t1", "t9")
}

func TestWhatIsAboutAnotherOrderOrCannotBeReadIsSaidSo(t *testing.T) {
	t.Parallel()
	f := func(payment, transactions any, found int, want string) {
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
		if got := one(t, serve(t, nil, fake), 2, "o", "t", "t2"); got.Err == nil || len(got.Payments) != found ||
			len(got.Missing) > 0 || !strings.Contains(got.Err.Error(), want) {
			t.Errorf("%v %v: got %+v, want an error with %q", payment, transactions, got, want)
		}
	}
	f(v2Payment("other", "t", "PAID"), nil, 0, `payment of PortOne v2: the answer is about "other"`)
	f(v2Payment("other", "t", "SOMETHING_NEW"), nil, 0, "no items")
	f(object{}, nil, 0, "no items")

	list := func(items ...object) object { return object{"items": items} }
	paid := v2Payment("o", "t", "PAID")
	f(paid, nil, 0, "no items")
	f(paid, object{"items": nil}, 0, "no items")
	f(paid, []int{}, 0, "transactions of PortOne v2: json")
	f(paid, json.RawMessage(`{"items":[],"items":5}`), 0, "transactions of PortOne v2: json")
	f(paid, list(object{}), 1, `payment "" of PortOne v2 cannot be read`)
	f(paid, list(v2Payment("t2", "", "SOMETHING_NEW", object{"paymentId": "o"})), 1,
		`payment "o" of PortOne v2 cannot be read`)
	f(paid, list(v2Payment("t2", "", "PAID", object{"paymentId": "other"})), 0, `one is about "other"`)
	f(object{"id": "o", "transactionId": "t"}, list(v2Payment("t2", "", "PAID", object{"paymentId": "o"})), 1,
		`payment "o" of PortOne v2 cannot be read`)
}
