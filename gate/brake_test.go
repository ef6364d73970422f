package gate

import "testing"

func TestWhatWaitsForABrakeIsCounted(t *testing.T) {
	t.Parallel()
	f := func(want Waiting, text string, lines ...[]RefundLine) {
		t.Helper()
		var reports []RefundView
		for _, l := range lines {
			reports = append(reports, RefundView{Refunds: l})
		}
		if got := WaitingForBrake(reports); *got != want || got.String() != text {
			t.Errorf("got %+v: %s, want %+v", *got, got, want)
		}
	}
	brake := func(balance string) RefundLine { return RefundLine{Waits: WaitBrake, Balance: balance} }
	f(Waiting{Amount: "0"}, "0 payments of 0 orders, 0 in all")
	f(Waiting{Orders: 2, Payments: 3, Amount: "1511.05"}, "3 payments of 2 orders, 1511.05 in all",
		[]RefundLine{brake("1000"), brake("10.55")}, []RefundLine{
			brake("500.50"),
			{Waits: WaitPerson, Balance: "7"},
		}, []RefundLine{{Balance: "9"}})
	f(Waiting{Orders: 1, Payments: 3, Amount: "5", Unknown: 2},
		"3 payments of 1 orders, 5 in all without 2 of them, whose amount is not known yet",
		[]RefundLine{brake("5"), brake(""), brake("1.5")})
}

func TestOnlyASettingsOwnReasonsMakeARow(t *testing.T) {
	t.Parallel()
	for r := range refundReasons {
		if want := r == RefundTestChannel || r == RefundAmount; r.BySetting() != want {
			t.Errorf("%s: %t", r, r.BySetting())
		}
	}
}
