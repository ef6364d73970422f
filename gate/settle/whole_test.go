package settle

import (
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate"
)

// farDeposit has an order wait for a deposit that is due in the year 9999, as no
// adapter tells it any more, and sends its confirm again.
func farDeposit(t *testing.T) *scene {
	t.Helper()
	sc := openScene(t)
	sc.confirm("o1", "a1")
	sc.bank.set("o1", "a1", gate.PaymentDeposit)
	deposit := sc.bank.payments["a1"]
	deposit.DepositBy = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	sc.bank.payments["a1"] = deposit
	sc.after(20 * time.Second)
	sc.now = sc.now.Add(time.Minute)
	if code := sc.confirm("o1", "a2"); code != gate.Held {
		t.Fatal(code)
	}
	return sc
}

// The record's times stay numbers that can be read, so the order is settled.
func TestADepositDueInTheYear9999LeavesItsOrderReadable(t *testing.T) {
	t.Parallel()
	sc := farDeposit(t)
	sc.want(map[string]string{"o1": "held V a1, O a2"}, 9, 1, 0, 0)
	entries, err := sc.store.Entries(t.Context(), "race", 0, 100)
	if err != nil || len(entries) != 4 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.bank.set("o1", "a2", gate.PaymentFailed)
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "paid P a1, F a2"}, 9, 0, 1, 0)
}

// An earlier version wrote such a record by itself: it is settled like any other.
func TestARecordWithAnApproximateTimeIsSettled(t *testing.T) {
	t.Parallel()
	sc := farDeposit(t)
	record, _ := sc.redis.Do(t, "HGET", "fg:{race}:orders", "o1").(string)
	fields := strings.Split(record, "\x1f")
	fields[8] = "2.5160638605858e+14"
	sc.redis.Do(t, "HSET", "fg:{race}:orders", "o1", strings.Join(fields, "\x1f"))
	sc.bank.set("o1", "a1", gate.PaymentPaid)
	sc.bank.set("o1", "a2", gate.PaymentFailed)
	sc.after(20 * time.Second)
	sc.want(map[string]string{"o1": "paid P a1, F a2"}, 9, 0, 1, 0)
}
