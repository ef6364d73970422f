package check

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// readDockerfile parses the Dockerfile as BuildKit does. What its linter has to
// say goes to warn.
func readDockerfile(warn func(string)) ([]instructions.Stage, error) {
	file, err := os.Open(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	tree, err := parser.Parse(file)
	if err != nil {
		return nil, fmt.Errorf("parse the Dockerfile: %w", err)
	}
	for _, w := range tree.Warnings {
		warn(w.Short)
	}
	stages, _, err := instructions.Parse(tree.AST, linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, _ []parser.Range) { warn(rule + ": " + message) },
	}))
	if err != nil {
		return nil, fmt.Errorf("parse the Dockerfile: %w", err)
	}
	return stages, nil
}

// buildLine is the last command that a stage runs.
func buildLine(stages []instructions.Stage, name string) string {
	at, found := instructions.HasStage(stages, name)
	if !found {
		return ""
	}
	runs := commandsOf[*instructions.RunCommand](stages[at])
	if len(runs) == 0 {
		return ""
	}
	return strings.Join(runs[len(runs)-1].CmdLine, " ")
}

func commandsOf[C instructions.Command](stage instructions.Stage) (found []C) {
	for _, command := range stage.Commands {
		if c, ok := command.(C); ok {
			found = append(found, c)
		}
	}
	return found
}

// only returns the one command of its kind that a stage has.
func only[C instructions.Command](t *testing.T, stage instructions.Stage) C {
	t.Helper()
	found := commandsOf[C](stage)
	if len(found) != 1 {
		t.Fatalf("the image has %d of %v, want 1", len(found), reflect.TypeFor[C]())
	}
	return found[0]
}

// images are the stages that become images: the gate's, which is the last one, and the
// rehearsal program's.
func images(t *testing.T) (gate, loadtest instructions.Stage) {
	t.Helper()
	stages, err := readDockerfile(func(warning string) { t.Error(warning) })
	if err != nil {
		t.Fatal(err)
	}
	at, found := instructions.HasStage(stages, "loadtest")
	if !found {
		t.Fatal("there is no stage loadtest")
	}
	return stages[len(stages)-1], stages[at]
}

func TestTheImagesAreTheProgramsOnNothing(t *testing.T) {
	t.Parallel()
	gate, loadtest := images(t)
	checkImage(t, gate, "/flashgate", "build", "build")
	checkImage(t, loadtest, "/flashgate-loadtest", "build", "build-loadtest")
	if entry := only[*instructions.EntrypointCommand](t, loadtest); entry.PrependShell ||
		!slices.Equal(entry.CmdLine, []string{"/flashgate-loadtest"}) {
		t.Errorf("the rehearsal's image runs %q", entry.CmdLine)
	}
}

func checkImage(t *testing.T, image instructions.Stage, program string, from ...string) {
	t.Helper()
	if image.BaseName != "scratch" {
		t.Errorf("the image is based on %s", image.BaseName)
	}
	if user := only[*instructions.UserCommand](t, image).User; user != "65532:65532" {
		t.Errorf("it runs as %q, which is not a number other than 0", user)
	}
	var destinations, stages []string
	for _, c := range commandsOf[*instructions.CopyCommand](image) {
		destinations, stages = append(destinations, c.DestPath), append(stages, c.From)
	}
	if !slices.Equal(stages, from) {
		t.Errorf("%q are from %q, want %q", destinations, stages, from)
	}
	if want := []string{"/etc/ssl/certs/ca-certificates.crt", program}; !slices.Equal(destinations, want) {
		t.Errorf("it holds %q, want %q", destinations, want)
	}
	var labels []string
	for _, c := range commandsOf[*instructions.LabelCommand](image) {
		for _, l := range c.Labels {
			name, _ := strings.CutPrefix(l.Key, "org.opencontainers.image.")
			labels = append(labels, name)
		}
	}
	if want := []string{"title", "description", "source", "version", "revision"}; !slices.Equal(labels, want) {
		t.Errorf("it has the labels %q, want %q", labels, want)
	}
}

// The image and the module must name the same Go, or the build fetches another.
func TestTheImageIsBuiltByTheModulesGo(t *testing.T) {
	t.Parallel()
	stages, err := readDockerfile(func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	tag := strings.TrimPrefix(stages[0].BaseName, "golang:")
	minor, _, _ := strings.Cut(tag, "-")
	if !strings.Contains(string(module), "\ngo "+minor+".") {
		t.Errorf("the image is built by golang:%s, which is not the Go of go.mod", tag)
	}
}

func TestTheProgramOfTheImageNeedsNothingBesideIt(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("flashgate")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it is linked dynamically: it has %v", p.Type)
		}
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" || settings["-tags"] != "timetzdata" {
		t.Errorf("it was built with %v", settings)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if home, err := os.UserHomeDir(); err == nil && bytes.Contains(text, []byte(home+"/go/")) {
		t.Error("it has paths of the machine that built it")
	}
	if out, err := exec.Command("flashgate", "version").CombinedOutput(); err != nil ||
		string(out) != "flashgate "+version+"\n" {
		t.Errorf("its version is %q, %v", out, err)
	}
}

// A folder with nothing in it but the program, into which the program may not
// write, is what the container is: where this is root, the image's own command
// line, user and health check run in one.
func TestTheImagesCommandsRunInAnEmptyFolder(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root may change the root folder of a program")
	}
	dir := t.TempDir()
	image, _ := images(t)
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := exec.LookPath("flashgate")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(program, filepath.Join(dir, "flashgate")); err != nil {
		t.Fatal(err)
	}
	public, admin := freeAddress(t), freeAddress(t)
	contained := func(line ...string) *exec.Cmd {
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Dir = "/"
		cmd.Env = []string{
			"FLASHGATE_LISTEN=" + public, "FLASHGATE_ADMIN_LISTEN=" + admin,
			"FLASHGATE_URL=http://" + admin + "/readyz", "FLASHGATE_DRAIN_WAIT=0s",
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		return cmd
	}
	check := only[*instructions.HealthCheckCommand](t, image).Health.Test
	if check[0] != "CMD" { // CMD-SHELL needs a shell
		t.Fatalf("the health check is %q", check)
	}

	if out, err := contained(check[1:]...).CombinedOutput(); err == nil {
		t.Errorf("the health check passes without a gate: %s", out)
	}
	entry, command := only[*instructions.EntrypointCommand](t, image), only[*instructions.CmdCommand](t, image)
	if entry.PrependShell || command.PrependShell {
		t.Fatal("ENTRYPOINT or CMD needs a shell: write it as a list")
	}
	gate := contained(slices.Concat(entry.CmdLine, command.CmdLine)...)
	var log bytes.Buffer
	gate.Stderr = &log
	if err := gate.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gate.Process.Kill() }() // where the test fails before it has ended
	await(t, "the health check to pass", func() error {
		out, err := contained(check[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	if err := gate.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := gate.Wait(); err != nil {
		t.Errorf("it ended with %v:\n%s", err, log.String())
	}
}

func TestTheImageBuilds(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("docker", "info", "--format", "{{.ServerVersion}}").CombinedOutput(); err != nil {
		t.Skipf("there is no Docker engine here: %s", bytes.TrimSpace(out))
	}
	const name = "flashgate:check"
	f := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("docker", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}

	f("build", "--tag", name, "--build-arg", "VERSION="+version, root)
	if said := f("run", "--rm", "--read-only", "--cap-drop", "ALL", name, "version"); !strings.Contains(said, version) {
		t.Errorf("the container's version is %q", said)
	}
	f("build", "--tag", name, "--target", "loadtest", "--build-arg", "VERSION="+version, root)
	if said := f("run", "--rm", "--read-only", "--cap-drop", "ALL", name,
		"version"); said != "flashgate-loadtest "+version+"\n" {
		t.Errorf("the rehearsal's container's version is %q", said)
	}
}
