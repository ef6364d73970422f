package check

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const systemdFolder = root + "/deploy/systemd"

// unit returns the lines of the unit as NAME=VALUE.
func unit(t *testing.T) []string {
	return settings(t, filepath.Join(systemdFolder, "flashgate.service"))
}

// settings returns the lines of a file that are no comments and no headings.
func settings(t *testing.T, path string) (lines []string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if line := scanner.Text(); line != "" && line[0] != '#' && line[0] != '[' {
			lines = append(lines, line)
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func value(t *testing.T, lines []string, name string) string {
	t.Helper()
	for _, line := range lines {
		if v, ok := strings.CutPrefix(line, name+"="); ok {
			return v
		}
	}
	t.Fatalf("%s is not set", name)
	return ""
}

func TestSystemdTakesTheUnit(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	text, err := os.ReadFile(filepath.Join(systemdFolder, "flashgate.service"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("flashgate")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "flashgate.service")
	here := strings.Replace(string(text), "/usr/local/bin/flashgate", program, 1) // verify looks for the program
	if err := os.WriteFile(path, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("systemd-analyze", append(args, path)...).CombinedOutput(); err != nil ||
			len(args) == 1 && len(out) > 0 {
			t.Errorf("systemd-analyze %q: %v\n%s", args, err, out)
		}
	}

	f("verify")
	f("security", "--offline=true", "--threshold=15", "--no-pager") // 1.5 of 10; without hardening it is 9.6
}

// A gate answers for --drain-wait, then what is under way, which takes 4 s at
// most, and then closes the admin listener within another.
func TestSystemdLetsAGateDrain(t *testing.T) {
	t.Parallel()
	stop, err := time.ParseDuration(value(t, unit(t), "TimeoutStopSec"))
	if err != nil {
		t.Fatal(err)
	}
	help, err := exec.Command("flashgate", "serve", "--help").Output()
	if err != nil || !strings.Contains(string(help), "--drain-wait=5s") {
		t.Fatalf("the default of --drain-wait is no longer 5s: %v", err)
	}
	if stop < 10*time.Second {
		t.Errorf("a gate is killed after %s", stop)
	}
}

// The environment that the example gives is one that a gate takes: it ends
// because it cannot reach Redis (1), not because a setting is wrong (2).
func TestSystemdStartsAGateWithTheExample(t *testing.T) {
	t.Parallel()
	path := filepath.Join(systemdFolder, "flashgate.env.example")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, _, set := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if set && strings.HasPrefix(name, "FLASHGATE_") && !takesVariable(t, name) {
			t.Errorf("the variable %s is nothing to a gate", name)
		}
	}

	filled := strings.NewReplacer(
		"k1:BASE64", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "whsec_BASE64",
		"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODk=",
		"10.0.0.11,10.0.0.12,10.0.0.13", "127.0.0.1:1,127.0.0.1:2",
	)
	command := strings.Fields(value(t, unit(t), "ExecStart"))
	cmd := exec.Command(filepath.Base(command[0]), command[1:]...)
	cmd.Env = os.Environ()
	for _, line := range settings(t, path) {
		cmd.Env = append(cmd.Env, filled.Replace(line))
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "flashgate: --redis: ") {
		t.Errorf("%v\n%s", err, out)
	}
}
