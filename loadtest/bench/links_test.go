package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEachThreadHasASignatureForEachOrder(t *testing.T) {
	t.Parallel()
	prefix := filepath.Join(t.TempDir(), "signatures-")
	if err := signLinks(prefix, 12, 100); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, thread := range []string{"1", "12"} {
		text, err := os.ReadFile(prefix + thread)
		if err != nil {
			t.Fatal(err)
		}
		claims, signatures, _ := strings.Cut(string(text), "\n")
		if !strings.HasPrefix(claims, "&amount=110000&exp=") || !strings.HasSuffix(claims, "&v=1&kid=bench&sig=") {
			t.Errorf("thread %s: its links claim %q", thread, claims)
		}
		const length = 43 // as in load.lua
		if want := 100 * length; len(signatures) != want {
			t.Fatalf("thread %s: %d bytes of signatures, want %d", thread, len(signatures), want)
		}
		for i := 0; i < len(signatures); i += length {
			seen[signatures[i:i+length]] = true
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d different signatures, want 200", len(seen))
	}
}
