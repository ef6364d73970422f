package bench

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// goBenchmarks runs the benchmarks of Go's own kind and returns what they say.
func (w *world) goBenchmarks(ctx context.Context) (string, error) {
	fmt.Fprintln(w.progress, "Go's benchmarks")
	args := []string{"test", "-buildvcs=false", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", "300ms"}
	for _, name := range []string{"/gate", "/gate/portone", "/gate/web", "/gate/store", "/luascripts"} {
		args = append(args, program+name)
	}
	said, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go test -bench: %w\n%s", err, said)
	}
	return benchmarkLines(string(said)), nil
}

// benchmarkLines keeps the results, and the package that they are of.
func benchmarkLines(said string) string {
	var kept strings.Builder
	for line := range strings.Lines(said) {
		if name, ok := strings.CutPrefix(line, "pkg: "+program+"/"); ok {
			kept.WriteString("# " + name)
		} else if strings.HasPrefix(line, "Benchmark") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
