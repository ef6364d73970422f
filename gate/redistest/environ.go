package redistest

import (
	"os"
	"strings"
	"testing"
)

// Forgetting runs a package's tests without the settings of a gate, FLASHGATE_…,
// that the shell may have: neither a test nor a program that one starts may find
// those of a real gate. It is for TestMain.
type Forgetting struct{ *testing.M }

// Run runs the tests.
func (f Forgetting) Run() int {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "FLASHGATE_") {
			_ = os.Unsetenv(name) // fails only for an invalid name
		}
	}
	return f.M.Run()
}
