package cli

import "testing"

func TestDescriptorsAreSparedForWhatIsNoCrowd(t *testing.T) {
	t.Parallel()
	f := func(limit uint64, public, admin int) {
		t.Helper()
		if p, a := shareFiles(limit); p != public || a != admin {
			t.Errorf("of %d files %d and %d, want %d and %d", limit, p, a, public, admin)
		}
	}
	f(0, 0, 0) // not known: any number
	f(32, 16, 4)
	f(256, 192, 16)
	f(1024, 768, 64)
	f(65536, 49152, 1024)
	f(1<<63, 250_000, 1024)
}
