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
	f("500 of 500 sold, 0 oversold, 120 declined tickets sold again", true, Sold{500, 500, 0, 120, 120})
	f("499 of 500 sold, 0 oversold, 119 declined tickets sold again, 1 declined tickets not sold again", true, Sold{499, 500, 0, 120, 119})
	f("300 of 500 sold, 0 oversold, 40 returned tickets not sold again", false, Sold{300, 500, 0, 40, 0})
	f("512 of 500 sold, 12 oversold", true, Sold{512, 500, 12, 0, 0})
	f("1,234,567 of 1,000,000 sold, 234,567 oversold", true, Sold{1_234_567, 1_000_000, 234_567, 0, 0})
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
	f("each unit once", Sold{4, 4, 0, 0, 0}, func(*facts) {})
	f("an order that is told 200 again is the same order", Sold{4, 4, 0, 0, 0}, func(f *facts) { f.ask("held", 1) })
	f("one is back on sale", Sold{3, 4, 0, 1, 0}, func(f *facts) { f.release(0) })
	f("one was sold again", Sold{3, 3, 0, 1, 1}, func(f *facts) {
		f.release(0)
		f.before.SKUs[0].Total, f.before.SKUs[0].Left = 3, 3
		f.after.SKUs[0].Total, f.after.SKUs[0].Left = 3, 0
	})
	f("some were paid before", Sold{6, 6, 0, 0, 0}, func(f *facts) {
		f.before.SKUs[0].Total, f.before.SKUs[0].Paid = 6, 2
		f.after.SKUs[0].Total, f.after.SKUs[0].Paid = 6, 2
	})
	f("one of them is withheld", Sold{3, 4, 0, 1, 0}, func(f *facts) {
		f.release(0)
		f.after.SKUs[0].Left, f.after.SKUs[0].Withheld = 0, 1
	})
	f("oversold, by the counters", Sold{6, 4, 2, 0, 0}, func(f *facts) { f.after.SKUs[0].Held, f.after.SKUs[0].Left = 6, -2 })
	f("oversold, by the 200s", Sold{4, 3, 1, 0, 0}, func(f *facts) { f.after.SKUs[0].Total, f.after.SKUs[0].Held = 3, 3 })
	f("another SKU's rest hides nothing", Sold{4, 13, 1, 0, 0}, func(f *facts) {
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
