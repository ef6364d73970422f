// Package check holds the files that an operator copies against the parsers of
// those who will read them, and against the program. It is a module of its own,
// because those parsers are far larger than the program.
package check

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const (
	root    = "../.."
	version = "v1.2.3-test"
)

// TestMain builds both programs as the Dockerfile does, from what .dockerignore
// leaves, and puts them on the PATH of every test. Settings of a gate that the shell
// has are forgotten.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "FLASHGATE_") {
			_ = os.Unsetenv(name) // fails only for a name that is none
		}
	}
	dir, err := os.MkdirTemp("", "flashgate-check-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(filepath.Join(dir, "context"), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return m.Run()
}

// build runs the command lines by which the Dockerfile builds, but for where the
// programs go.
func build(context, to string) error {
	if err := copyContext(context); err != nil {
		return fmt.Errorf("copy what .dockerignore leaves: %w", err)
	}
	stages, err := readDockerfile(func(string) {})
	if err != nil {
		return err
	}
	for stage, program := range map[string]string{"build": "flashgate", "build-loadtest": "flashgate-loadtest"} {
		line := buildLine(stages, stage)
		if !strings.Contains(line, " -o /out/"+program+" ") {
			return fmt.Errorf("the Dockerfile's stage %s does not build /out/%s: %q", stage, program, line)
		}
		cmd := exec.Command("sh", "-c", strings.Replace(line, "/out/", to+"/", 1))
		cmd.Dir, cmd.Env = context, append(os.Environ(), "VERSION="+version, "TARGETOS=", "TARGETARCH=", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", line, err, out)
		}
	}
	return nil
}

// copyContext copies what docker build would send to the engine.
func copyContext(to string) error {
	file, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		return err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return err
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		ignored, err := matcher.MatchesOrParentMatches(name)
		if err != nil || ignored {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o600)
	})
}
