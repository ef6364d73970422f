package gate

import "testing"

func TestWhatIsHeldOrPaidHasUnits(t *testing.T) {
	t.Parallel()
	for state, want := range map[OrderState]bool{
		OrderAsking: true, OrderHeld: true, OrderPaid: true,
		OrderReleased: false, OrderRefundDue: false, OrderRefunded: false, OrderWithheld: false, 0: false,
	} {
		if got := state.HasUnits(); got != want {
			t.Errorf("%s: %t, want %t", state, got, want)
		}
	}
}
