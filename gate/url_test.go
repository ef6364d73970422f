package gate

import "testing"

func TestHideSecrets(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		if got := HideSecrets(text); got != want {
			t.Errorf("of %s is shown %s, want %s", text, got, want)
		}
	}
	f("", "")
	f("https://shop.example.com", "https://shop.example.com")
	f("https://shop.example.com:8443/a%2Fb", "https://shop.example.com:8443/a%2Fb")
	f("https://shop.example.com/changes?token=s3cret", "https://shop.example.com/changes?…")
	f("https://shop.example.com?s3cret", "https://shop.example.com?…")
	f("https://kim:s3cret@shop.example.com/changes", "https://…@shop.example.com/changes")
	f("https://shop.example.com/changes#s3cret", "https://shop.example.com/changes")
	f("https://s3cret\x7f", "…")
	f("s3cret", "…")
}
