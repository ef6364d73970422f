package cli

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flashgate/flashgate/gate/redistest"
)

// TestScripts runs the command lines of testdata/script, of the program as make build
// builds it: with the race detector, which finds nothing in a command line, each of the
// hundreds takes four times as long. Gates run with it. Besides testscript's own commands
// the scripts have
//
//	fails STATUS COMMAND…              run a command that ends with this exit status
//	redis                              start a redis-server for every command
//	damage COMMAND…                    do that in Redis
//	gate [FLAG…]                       serve on free ports with these flags, until ready
//	confirm SALE?QUERY ORDER [ATTEMPT] post a confirm call: prints the status and the code
//	eventually ANSWER SALE?QUERY ORDER post it until that is the answer
//	undelivered SALE ORDER             wait until the order is listed as undelivered
//	says TEXT                          wait until the gate's log has the text
//	report SALE ORDER STATE            report to the gate what became of an order
//	end                                end the gate by SIGTERM, and write gate.log and gate.out
func TestScripts(t *testing.T) {
	t.Parallel()
	programs := buildProgram(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Values["scene"] = &scene{t: env.T().(testing.TB)}
			env.Setenv("TZ", "Asia/Seoul")
			env.Setenv("PATH", programs+string(filepath.ListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails": fails,
			"redis": func(ts *testscript.TestScript, _ bool, _ []string) {
				s := sceneOf(ts)
				s.redis = redistest.Start(s.t)
				ts.Setenv("FLASHGATE_REDIS", s.redis.URL())
			},
			"damage": func(ts *testscript.TestScript, _ bool, args []string) {
				command := make([]any, len(args))
				for i, arg := range args {
					command[i] = arg
				}
				s := sceneOf(ts)
				s.redis.Do(s.t, command...)
			},
			"gate":       startInScript,
			"confirm":    confirmInScript,
			"eventually": eventuallyInScript,
			"report":     reportInScript,
			"end":        endInScript,

			"undelivered": undeliveredInScript,
			"says":        saysInScript,
		},
	})
}

// buildProgram builds flashgate, and returns the folder that it is in.
func buildProgram(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X main.version=v0.0.0-test",
		"-o", filepath.Join(dir, "flashgate"), "../..")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building flashgate: %v\n%s", err, said)
	}
	return dir
}

// scene is what one script has started.
type scene struct {
	t     testing.TB
	redis *redistest.Server
	gate  *process
}

func sceneOf(ts *testscript.TestScript) *scene { return ts.Value("scene").(*scene) }

func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails STATUS COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	exit, ended := errors.AsType[*exec.ExitError](err)
	if !ended || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("%v, want exit status %s", err, args[0])
	}
}

func startInScript(ts *testscript.TestScript, _ bool, args []string) {
	if redis := ts.Getenv("FLASHGATE_REDIS"); redis == embeddedRedis {
		args = append(args, "--redis", redis)
	} else if redis != "" {
		args = append(args, "--redis", redis, "--allow-unsigned")
	}
	for i, arg := range args {
		if ext := filepath.Ext(arg); ext == ".yaml" || ext == ".jsonl" || ext == ".txt" {
			args[i] = ts.MkAbs(arg)
		}
	}
	s := sceneOf(ts)
	s.gate = startGate(s.t, args...)
	ts.Setenv("GATE", s.gate.listen)
	ts.Setenv("ADMIN", s.gate.admin)
}

func endInScript(ts *testscript.TestScript, _ bool, _ []string) {
	s := sceneOf(ts)
	s.gate.stop(s.t)
	ts.Check(os.WriteFile(ts.MkAbs("gate.log"), []byte(s.gate.stderr.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("gate.out"), []byte(s.gate.stdout.String()), 0o600))
}

func confirmInScript(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: confirm SALE?QUERY ORDER [ATTEMPT]")
	}
	attempt := "imp_" + args[1]
	if len(args) > 2 {
		attempt = args[2]
	}
	s := sceneOf(ts)
	a := newCaller(s.t).post(s.gate.listen, "/confirm/"+args[0], "application/json", v1(args[1], attempt))
	ts.Check(a.err)
	fmt.Fprintln(ts.Stdout(), a.status, a.code)
}

func eventuallyInScript(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: eventually ANSWER SALE?QUERY ORDER")
	}
	s := sceneOf(ts)
	await(s.t, args[0], func() error {
		a := newCaller(s.t).post(s.gate.listen, "/confirm/"+args[1], "application/json", v1(args[2], "imp_"+args[2]))
		if got := fmt.Sprint(a.status, " ", a.code); got != args[0] {
			return fmt.Errorf("the answer is %q", got)
		}
		return nil
	})
}

func undeliveredInScript(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: undelivered SALE ORDER")
	}
	redis := ts.Getenv("FLASHGATE_REDIS")
	await(sceneOf(ts).t, args[1], func() error {
		if said := command(sceneOf(ts).t, "undelivered", "--redis", redis, args[0]); !strings.Contains(said,
			"\n"+args[1]+" ") {
			return errors.New(said)
		}
		return nil
	})
}

func saysInScript(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: says TEXT")
	}
	s := sceneOf(ts)
	await(s.t, "the gate's log", func() error {
		if log := s.gate.stderr.String(); !strings.Contains(log, args[0]) {
			return errors.New(log)
		}
		return nil
	})
}

func reportInScript(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: report SALE ORDER STATE")
	}
	s := sceneOf(ts)
	status, text := s.gate.ask(s.t, "", "POST", "/v1/sales/"+args[0]+"/orders/"+args[1]+"/report",
		fmt.Sprintf(`{"state":%q}`, args[2]))
	if status != http.StatusOK {
		ts.Fatalf("the answer is %d %s", status, text)
	}
}
