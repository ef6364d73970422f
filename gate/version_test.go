package gate_test

import (
	"encoding/json"
	"testing"

	"github.com/flashgate/flashgate/gate"
)

// Whoever reads JSON compares a number, as before there was a type.
func TestAVersionIsAWordInTextAndANumberInJSON(t *testing.T) {
	for version, want := range map[gate.Version]struct{ text, json string }{
		gate.NoVersion: {"unknown", "0"},
		gate.V1:        {"v1", "1"},
		gate.V2:        {"v2", "2"},
		3:              {"unknown", "3"},
	} {
		text, err := json.Marshal(version)
		if version.String() != want.text || string(text) != want.json || err != nil {
			t.Errorf("version %d: got %s and %s (%v), want %s and %s", int(version), version, text, err,
				want.text, want.json)
		}
		var read gate.Version
		if err := json.Unmarshal(text, &read); read != version || err != nil {
			t.Errorf("%s reads as %s: %v", text, read, err)
		}
	}
}
