package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEachThreadHasASignatureForEachOrder(t *testing.T) {
	t.Parallel()
	prefix := filepath.Join(t.TempDir(), "signatures-")
	if err := signLinks(prefix, load{Connections: 128, Threads: 40, Duration: time.Second}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, thread := range []string{"1", "40"} {
		text, err := os.ReadFile(prefix + thread)
		if err != nil {
			t.Fatal(err)
		}
		claims, signatures, _ := strings.Cut(string(text), "\n")
		if !strings.HasPrefix(claims, "&amount=110000&exp=") || !strings.HasSuffix(claims, "&v=1&kid=bench&sig=") {
			t.Errorf("thread %s: its links claim %q", thread, claims)
		}
		const length = 43 // as in load.lua
		if want := (maxRate/40 + 128) * length; len(signatures) != want {
			t.Fatalf("thread %s: %d bytes of signatures, want %d", thread, len(signatures), want)
		}
		for i := 0; i < len(signatures); i += length {
			seen[signatures[i:i+length]] = true
		}
	}
	if want := 2 * (maxRate/40 + 128); len(seen) != want {
		t.Errorf("%d different signatures, want %d", len(seen), want)
	}
}
