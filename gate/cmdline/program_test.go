package cmdline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// commands are a small program's: one that is strict, one that fails, one that lasts.
type commands struct {
	Sell struct {
		Name string `default:"nobody" help:"Who sells."`
	} `cmd:"" help:"Sell."`
	Fail failCommand `cmd:"" help:"Fail."`
	Last lastCommand `cmd:"" help:"Last."`
}

// Run is that of every command without one.
func (*commands) Run() error { return nil }

type failCommand struct{}

func (failCommand) Run() error { return errors.New("out of luck") }

type lastCommand struct{}

// Run ends when ctx does, for which it asks this process.
func (lastCommand) Run(ctx context.Context, out *bytes.Buffer) error {
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		fmt.Fprint(out, "ended")
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("the signal did not end the context")
	}
}

func program(out, errOut io.Writer, environ ...string) *Program {
	return &Program{
		Name: "shop", Description: "A shop.", Environ: environ, Out: out, Err: errOut, Strict: "sell",
		Foreign: func(name string) bool { return strings.HasPrefix(name, "FLASHGATE_SIM_") },
	}
}

func TestTheExitStatusTellsAWrongCommandLineFromACommandThatFailed(t *testing.T) {
	f := func(line string, status int, out, errOut string, environ ...string) {
		t.Helper()
		var o, e bytes.Buffer
		if got := program(&o, &e, environ...).Main(&commands{}, strings.Fields(line), &o); got != status ||
			!strings.Contains(o.String(), out) || e.String() != errOut {
			t.Errorf("shop %s, %q: status %d, %q, %q; want %d, %q, %q", line, environ, got, o.String(), e.String(),
				status, out, errOut)
		}
	}
	f("--help", 0, "A shop.", "")
	f("sell --help", 0, "Who sells ($FLASHGATE_NAME).", "")
	f("sell", 0, "", "")
	f("fail", 1, "", "shop: out of luck\n")
	f("steal", 2, "", "shop: unexpected argument steal, did you mean \"sell\"?\nTry: shop --help\n")
	f("last", 0, "ended", "")
	f("sell --name=", 2, "", "shop: --name is given and empty: give it a value, or leave the flag out\nTry: "+
		"shop --help\n")

	// A strict command takes no variable that nothing reads. What is another program's is its own affair.
	const unread = "FLASHGATE_NAMES is the variable of no flag: did you mean FLASHGATE_NAME?"
	f("sell", 2, "", "shop: "+unread+"\nTry: shop --help\n", "FLASHGATE_NAMES=x")
	f("fail", 1, "", "shop: warning: "+unread+"\nshop: out of luck\n", "FLASHGATE_NAMES=x")
	f("sell", 0, "", "", "FLASHGATE_SIM_LISTEN=x", "FLASHGATE_NAME=kim", "OTHER=")
}

func TestAProgramKnowsItsSettingsAndItsVariables(t *testing.T) {
	t.Parallel()
	p := program(io.Discard, io.Discard, "FLASHGATE_NAME= kim\n", "PATH=/bin", "FLASHGATE_EMPTY=")
	if got := p.Settings(); len(got) != 2 || got["FLASHGATE_NAME"] != "kim" {
		t.Errorf("the settings are %q", got)
	}
	if got := p.Variables(&commands{}); !slices.Equal(got, []string{"FLASHGATE_NAME"}) {
		t.Errorf("the variables are %q", got)
	}
	if got := p.Variables(commands{}); got != nil {
		t.Errorf("commands that cannot be parsed have the variables %q", got)
	}
}

func TestServiceLinksAreTold(t *testing.T) {
	t.Parallel()
	v := &variables{
		program: program(io.Discard, io.Discard), owners: map[string]bool{"FLASHGATE_SERVICE_HOST": true},
		set: readVariables([]string{"FLASHGATE_ADMIN_PORT=tcp://10.0.0.1:9090", "FLASHGATE_SERVICE_HOST="}),
	}
	if v.fault("FLASHGATE_ADMIN_PORT") != nil || v.fault("FLASHGATE_SERVICE_HOST") == nil {
		t.Error("a variable that is a flag's own must count as the flag's, whatever its name")
	}
	for _, name := range []string{
		"FLASHGATE_PORT_8080", "FLASHGATE_PORT_X_TCP", "FLASHGATE_SERVICE",
		"FLASHGATE_SERVICES_HOST", "FLASHGATE_PORTONE",
	} {
		if serviceLink(name, "1") {
			t.Errorf("%s is taken for a service link", name)
		}
	}
}

func TestALogIsOfTextsOrOfJSON(t *testing.T) {
	t.Parallel()
	f := func(format string, level slog.Level, want string) {
		t.Helper()
		var out bytes.Buffer
		NewLog(&out, format, level).Info("serving")
		if !strings.Contains(out.String(), want) || want == "" && out.Len() > 0 {
			t.Errorf("%s: %s", format, out.String())
		}
	}
	f("text", slog.LevelInfo, "msg=serving")
	f("json", slog.LevelInfo, `"msg":"serving"`)
	f("json", slog.LevelWarn, "")
}
