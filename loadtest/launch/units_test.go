package launch

import "testing"

func TestWhatWasSoldIsToldInASentence(t *testing.T) {
	t.Parallel()
	f := func(want string, declined bool, s Sold) {
		t.Helper()
		if got := s.say("tickets", declined); got != want {
			t.Errorf("%+v is told as %q, want %q", s, got, want)
		}
	}
	f("0 of 500 sold, 0 oversold", true, Sold{Of: 500})
	f("500 of 500 sold, 0 oversold, 120 declined tickets sold again", true,
		Sold{Units: 500, Of: 500, Returned: 120, Again: 120})
	f("499 of 500 sold, 0 oversold, 119 declined tickets sold again, 1 declined tickets not sold again", true,
		Sold{Units: 499, Of: 500, Returned: 120, Again: 119})
	f("300 of 500 sold, 0 oversold, 40 returned tickets not sold again", false, Sold{Units: 300, Of: 500, Returned: 40})
	f("500 of 500 sold, 0 oversold, and the shop has not said yes to 7 orders of these", true,
		Sold{Units: 500, Of: 500, Asking: 7})
	f("512 of 500 sold, 12 oversold", true, Sold{Units: 512, Of: 500, Oversold: 12})
	f("1,234,567 of 1,000,000 sold, 234,567 oversold", true, Sold{Units: 1_234_567, Of: 1_000_000, Oversold: 234_567})
}

func TestWhatWasSoldIsCounted(t *testing.T) {
	t.Parallel()
	f := func(name string, want Sold, change func(f *facts)) {
		t.Helper()
		facts := playedFacts(t)
		change(facts)
		if got := facts.run.given(facts.run.stories(), facts.states).sold(&facts.before, &facts.after); *got != want {
			t.Errorf("%s: %+v, want %+v", name, *got, want)
		}
	}
	f("each unit once", Sold{Units: 4, Of: 4}, func(*facts) {})
	f("an order that is told 200 again is the same order", Sold{Units: 4, Of: 4}, func(f *facts) { f.ask("held", 1) })
	f("one is back on sale", Sold{Units: 3, Of: 4, Returned: 1}, func(f *facts) { f.release(0) })
	f("one was sold again", Sold{Units: 3, Of: 3, Returned: 1, Again: 1}, func(f *facts) {
		f.release(0)
		f.before.SKUs[0].Total, f.before.SKUs[0].Left = 3, 3
		f.after.SKUs[0].Total, f.after.SKUs[0].Left = 3, 0
	})
	f("the shop has not said yes to two", Sold{Units: 4, Of: 4, Asking: 2},
		func(f *facts) { f.after.Orders = map[string]int64{"asking": 2} })
	f("some were paid before", Sold{Units: 6, Of: 6}, func(f *facts) {
		f.before.SKUs[0].Total, f.before.SKUs[0].Paid = 6, 2
		f.after.SKUs[0].Total, f.after.SKUs[0].Paid = 6, 2
	})
	f("one of them is withheld", Sold{Units: 3, Of: 4, Returned: 1}, func(f *facts) {
		f.release(0)
		f.after.SKUs[0].Left, f.after.SKUs[0].Withheld = 0, 1
	})
	f("oversold, by the counters", Sold{Units: 6, Of: 4, Oversold: 2},
		func(f *facts) { f.after.SKUs[0].Held, f.after.SKUs[0].Left = 6, -2 })
	f("oversold, by the 200s", Sold{Units: 4, Of: 3, Oversold: 1},
		func(f *facts) { f.after.SKUs[0].Total, f.after.SKUs[0].Held = 3, 3 })
	f("another SKU's rest hides nothing", Sold{Units: 4, Of: 13, Oversold: 1}, func(f *facts) {
		f.after.SKUs[0].Total, f.after.SKUs[0].Held = 3, 3
		f.after.SKUs = append(f.after.SKUs, UnitsView{SKU: "b", Total: 10, Left: 10})
	})
}

func TestNumbersAreWrittenInThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", -999: "-999", -1000: "-1,000", 12_345: "12,345", 1_234_567: "1,234,567",
	} {
		if got := grouped(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
}
