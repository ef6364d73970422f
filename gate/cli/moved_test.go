package cli

import "testing"

func TestCommandsThatMovedSayWhatTheyAreNow(t *testing.T) {
	t.Parallel()
	f := func(line, name, now string) {
		t.Helper()
		want := "flashgate: rehearsing has a program of its own: " + name + " is flashgate-loadtest " + now + " now (from the source: go run ./loadtest " + now + ")\n"
		if status, text := said(line); status != 2 || text != want {
			t.Errorf("flashgate %s: %d %s, want %s", line, status, text, want)
		}
	}
	f("demo", "demo", "demo")
	f("demo --tickets 5", "demo", "demo")
	f("loadtest --target http://g --admin-token sesame", "loadtest", "launch")
	f("loadtest run --target http://g", "loadtest", "launch")
	f("loadtest targets --target http://g", "loadtest", "targets")
	f("portone-sim --help", "portone-sim", "portone-sim")
	if status, _ := said("version"); status != 0 {
		t.Errorf("version: %d", status)
	}
}
