package portone_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
)

func TestAVirtualAccountIsClosed(t *testing.T) {
	t.Parallel()
	fake1, fake2 := newFakeV1(), newFakeV2()
	var status int
	var kind string
	hit := func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/users/getToken" {
			return false
		}
		answer(w, status, object{"code": -1, "type": kind, "message": "실패"})
		return true
	}
	good := func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/users/getToken" {
			return false
		}
		answer(w, http.StatusOK, object{
			"code": 0, "response": v1Payment("imp_1", "o", "cancelled"),
			"closedAt": "2026-12-01T01:00:00Z",
		})
		return true
	}
	c := serve(t, fake1, fake2, func(o *config) { o.V2.Store = "store-1" })
	f := func(version gate.Version, order, attempt string) error {
		return c.CloseAccount(t.Context(), order, gate.Attempt{ID: attempt, Version: version})
	}
	fake1.fault, fake2.fault = good, good
	for _, version := range gate.Versions() {
		if err := f(version, "o", "imp_1"); err != nil {
			t.Errorf("V%d: %v", version, err)
		}
	}
	if fake1.called("DELETE /vbanks/imp_1") != 1 ||
		fake2.called("POST /payments/o/virtual-account/close?storeId=store-1") != 1 {
		t.Errorf("called: %v %v", fake1.calls, fake2.calls)
	}
	fake1.fault, fake2.fault = hit, hit
	for _, test := range []struct {
		status int
		kind   string
		closed bool
	}{
		{409, "PAYMENT_NOT_WAITING_FOR_DEPOSIT", true},
		{500, "PAYMENT_NOT_WAITING_FOR_DEPOSIT", false},
		{502, "PG_PROVIDER", false},
		{404, "PAYMENT_NOT_FOUND", false},
	} {
		status, kind = test.status, test.kind
		if err := f(2, "o", "t"); (err == nil) != test.closed {
			t.Errorf("V2, %d %s: %v", status, kind, err)
		}
		if err := f(1, "o", "imp_1"); err == nil {
			t.Errorf("V1, %d: closed", status)
		}
	}
	calls := len(fake1.calls) + len(fake2.calls)
	for version, order := range map[gate.Version]string{1: "o", 2: "..", 3: "o"} {
		if err := f(version, order, "a/b"); err == nil || strings.Contains(err.Error(), "PortOne answered") {
			t.Errorf("V%d: %v", version, err)
		}
	}
	if len(fake1.calls)+len(fake2.calls) != calls {
		t.Errorf("called: %v %v", fake1.calls, fake2.calls)
	}
}
