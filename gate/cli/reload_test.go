package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/testkit"
)

// linkKey signs links in tests.
const linkKey = "k1:YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMDE="

const anotherKey = "k2:b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItMDE="

// SIGHUP ends no gate. What came from files is read anew; what cannot be read
// stays as it was.
func TestAHangupReadsFilesAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if text != "" {
			if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	refusals, moved := file("refusals", ""), file("refusals.1", "")
	p := startGate(t, "--redis", "embedded", "--sales", testkit.SaleFile(t, openSale("race", 100)),
		"--refusal-log", refusals, "--signing-key-file", file("keys", linkKey),
		"--admin-token-file", file("tokens", "kim:0123456789abcdef"))
	caller := newCaller(t)
	confirm := func(key, order, want string) {
		t.Helper()
		a := caller.post(p.listen, signedPath(t, key, order), "application/json", v1(order, "imp_"+order))
		if a.code != want {
			t.Errorf("%s by %.2s: %s, %v; want %s", order, key, a.code, a.err, want)
		}
	}
	confirm(linkKey, "o1", "held")
	confirm(anotherKey, "refused-before", "bad_signature")
	await(t, "the refusal to be written", hasLine(refusals, "refused-before"))

	if err := os.Rename(refusals, moved); err != nil {
		t.Fatal(err)
	}
	file("keys", anotherKey)
	file("tokens", "lee:fedcba9876543210")
	p.hangup(t, 1)
	confirm(anotherKey, "o2", "held")
	confirm(linkKey, "refused-after", "bad_signature")
	await(t, "the refusal to be written into the new file", hasLine(refusals, "refused-after"))
	if hasLine(moved, "refused-after")() == nil {
		t.Error("the file that was moved away is still written")
	}
	for token, want := range map[string]int{
		"fedcba9876543210": http.StatusOK,
		"0123456789abcdef": http.StatusUnauthorized,
	} {
		if status := getWithToken(t, p.admin, "/v1/sales", token); status != want {
			t.Errorf("the token %s: %d, want %d", token, status, want)
		}
	}

	file("keys", "no key at all")
	p.hangup(t, 2)
	if _, said := p.logged("a file could not be read anew: the gate goes on with what it had"); !said ||
		!strings.Contains(p.stderr.String(), filepath.Join(dir, "keys")) {
		t.Error("the log does not name the file that cannot be read")
	}
	confirm(anotherKey, "o3", "held")
}

// hangup sends SIGHUP and waits until files were read anew so many times.
func (p *process) hangup(t *testing.T, times int) {
	t.Helper()
	p.signal(t, syscall.SIGHUP)
	await(t, "files to be read anew", func() error {
		if !p.Running() {
			t.Fatal("SIGHUP ended the gate")
		}
		if strings.Count(p.stderr.String(), "SIGHUP: files were read anew") < times {
			return errors.New("not yet")
		}
		return nil
	})
}

// signedPath is the path of a link for one unit of "race".
func signedPath(t *testing.T, key, order string) string {
	t.Helper()
	keys, err := gate.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	link, err := keys.URL("http://gate",
		gate.Offer{Sale: "race", Items: "unit", Order: order, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(link, "http://gate")
}

func hasLine(path, part string) func() error {
	return func() error {
		text, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(text), part) {
			err = fmt.Errorf("%s has %q", path, text)
		}
		return err
	}
}

func getWithToken(t *testing.T, addr, path, token string) int {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := newCaller(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// A line is never torn apart by a file that is moved away while it is written.
func TestALogFileGoesOnInANewFileAfterTheLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l, err := openLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	write := func(text string) {
		t.Helper()
		if _, err := l.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	moved := l.file
	write("first\nsec")
	if err := errors.Join(os.Rename(path, path+".1"), l.reopen()); err != nil {
		t.Fatal(err)
	}
	write("o")
	write("nd\n")
	write("third\n")
	if err := moved.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file that was moved away is still open: %v", err)
	}
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	write("fourth\n") // nobody has said that it was moved
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it goes on in a new file all the same: %v", err)
	}
	for name, want := range map[string]string{path + ".1": "first\nsecond\n", path + ".2": "third\nfourth\n"} {
		if got, err := os.ReadFile(name); string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
}

// A file that is there is gone on with, and a new one is nobody else's to read.
func TestALogFileKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	for range 2 {
		l, err := openLogFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.reopen(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); string(got) != "line\nline\n" {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}

// Who sends SIGHUP to a gate that has nothing to read is told so.
func TestAHangupWithoutFilesSaysThatThereAreNone(t *testing.T) {
	t.Parallel()
	p := startGate(t, "--redis", "embedded", "--sales", testkit.SaleFile(t, openSale("race", 1)),
		"--signing-key", linkKey)
	p.signal(t, syscall.SIGHUP)
	await(t, "the gate to say so", func() error {
		if !strings.Contains(p.stderr.String(), "SIGHUP: there are no files to read anew") {
			return errors.New("it does not")
		}
		return nil
	})
	if strings.Contains(p.stderr.String(), "files were read anew") {
		t.Error("it says that some were")
	}
	p.stop(t)
}

// What the log says of SIGHUP is true of each flag with a secret file: PortOne's are read at
// the start alone.
func TestTheLogNamesTheFlagsWhoseFilesAHangupReads(t *testing.T) {
	t.Parallel()
	var secret cmdline.SecretFile // in a file, for its path is not -
	flags := &serveCommand{portoneFlag: portoneFlag{
		portoneCredentials: portoneCredentials{PortoneV1SecretFile: &secret, PortoneV2SecretFile: &secret},
	}}
	var log bytes.Buffer
	(&reloader{
		items: (&parts{flags: flags}).reloadables(), log: slog.New(slog.NewTextHandler(&log, nil)),
		after: func() { t.Error("files were read") },
	}).reload()
	if !strings.Contains(log.String(), "there are no files to read anew") {
		t.Fatalf("it says %s", log.String())
	}
	eachFlag(t, func(f *kong.Flag) {
		if f.Target.Type() != reflect.TypeFor[*cmdline.SecretFile]() {
			return
		}
		named := regexp.MustCompile(`--` + f.Name + `\b[^-]`).MatchString(log.String())
		if atStart := strings.HasPrefix(f.Name, "portone-"); named == atStart {
			t.Errorf("--%s: the log names it: %v, and it is read at the start alone: %v", f.Name, named, atStart)
		}
	})
}

// A refusal log whose end cannot be written is no end that went well.
func TestAGateThatCannotCloseItsRefusalLogSaysSo(t *testing.T) {
	t.Parallel()
	c := &serveCommand{
		Listen: "127.0.0.1:0", adminFlag: adminFlag{AdminListen: "127.0.0.1:0"}, Name: "gate", Language: "ko",
		RedisTimeout: time.Second,
		Queue:        1, RefusalLog: filepath.Join(t.TempDir(), "refusals"), LogFormat: "text",
	}
	p := newParts(c, &environment{out: io.Discard, err: io.Discard})
	ctx, stop := context.WithCancel(t.Context())
	err := p.serve(ctx, nil, func(net.Addr, net.Addr) {
		if err := p.refusalFile.file.Close(); err != nil {
			t.Error(err)
		}
		stop()
	})
	if !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "close the refusal log") {
		t.Errorf("got %v", err)
	}
	c.RefusalLog = filepath.Join(t.TempDir(), "no", "refusals")
	err = newParts(c, &environment{out: io.Discard, err: io.Discard}).serve(t.Context(), nil, nil)
	if !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "close the refusal log") {
		t.Errorf("one that cannot be opened: got %v", err)
	}
}
