package cmdline

import (
	"os"
	"testing"
)

// A gate reads its secrets again on SIGHUP, and standard input has an end: what it had is
// what it has. A file's secret is what stands there now.
func TestWhatStandardInputHadIsKept(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	usual := os.Stdin
	os.Stdin = in
	t.Cleanup(func() { os.Stdin = usual; in.Close() })
	if _, err := out.WriteString(" first \n"); err != nil {
		t.Fatal(err)
	}
	out.Close()
	path := t.TempDir() + "/secret"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reads := func(f *SecretFile, want string) {
		t.Helper()
		if got, err := SecretText("token", nil, f); err != nil || *got != want {
			t.Errorf("%s: %v, %v; want %q", f.path, got, err, want)
		}
	}
	input, file := &SecretFile{path: "-"}, &SecretFile{path: path}
	write("first")
	reads(input, "first")
	reads(file, "first")
	write("second")
	reads(input, "first")
	reads(file, "second")
	if input.IsFile() || !file.IsFile() || (*SecretFile)(nil).IsFile() {
		t.Error("only a file can be read anew")
	}
}
