package cli

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whoever tries the gate sends what PortOne documents, as it stands there: the
// demo sale must take it, an older V1 call without an amount too.
func TestTheDemoSaleTakesEveryConfirmCallThatPortOneDocuments(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join("..", "portone", "testdata", "*confirm*"))
	if err != nil || len(paths) != 5 {
		t.Fatalf("the documented calls are %v: %v", paths, err)
	}
	f := func(name string, paths []string, order string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gate, caller := startGate(t), newCaller(t)
			for i, path := range slices.Concat(paths, paths) {
				body, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				contentType, text := "application/json", string(body)
				if filepath.Ext(path) == ".form" {
					contentType = "application/x-www-form-urlencoded"
				}
				if order != "" {
					text = strings.ReplaceAll(text, "ORD20261201000137", fmt.Sprintf(order, i%len(paths)))
				}
				a := caller.post(gate.listen, "/confirm/demo?items=ticket&buyer=alice", contentType, text)
				if a.err != nil || a.status != http.StatusOK || a.code != "held" {
					t.Errorf("%s: %d %s %v, want 200 held", text, a.status, a.code, a.err)
				}
			}
		})
	}
	// They all name one order. Whether its amount is known first or last, it is the same one.
	f("as they stand", paths, "")
	back := slices.Clone(paths)
	slices.Reverse(back)
	f("the other way round", back, "")
	f("each an order of its own", paths, "ORD2026120100%04d")
}
