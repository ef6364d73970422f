// Command flashgate-loadtest is for rehearsing: see `go run ./loadtest --help`. Nothing
// of it is linked into the gate.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/flashgate/flashgate/gate/cli"
	"github.com/flashgate/flashgate/gate/cmdline"
)

// version is set when the program is built.
var version = "dev"

const description = `Rehearses what a gate is for, and measures it.

Every flag has an environment variable: --rounds is FLASHGATE_ROUNDS. A setting that is there and empty is an error: leave it
out.`

type commands struct {
	Demo        demoCommand        `cmd:"" help:"Play a launch from its opening to the audit, all in this program. A minute, and nothing to set up."`
	Launch      launchCommand      `cmd:"" help:"Rehearse a launch against a gate or a whole deployment, and judge it."`
	Targets     targetsCommand     `cmd:"" help:"Write the requests of a launch, signed as of now, in the JSON format of vegeta attack."`
	PortoneSim  portoneSimCommand  `cmd:"" help:"Simulate PortOne, to try a shop and a gate without an account."`
	Bench       benchCommand       `cmd:"" help:"Measure the gate beside a bare handler and the usual peer. A quarter of an hour."`
	BenchServer benchServerCommand `cmd:"" hidden:"" help:"Be a server that bench measures."`
	BenchClient benchClientCommand `cmd:"" hidden:"" help:"Be a client of what bench measures."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// environment is what commands use of the world.
type environment struct {
	out, err io.Writer
	version  string
}

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run runs a command line in an environment, and returns the exit status.
func run(args, environ []string, out, errOut io.Writer) int {
	return newProgram(environ, out, errOut).Main(&commands{}, args,
		&environment{out: out, err: errOut, version: version})
}

// newProgram is this program, in an environment that it may share with gates.
func newProgram(environ []string, out, errOut io.Writer) *cmdline.Program {
	gates := sync.OnceValue(cli.Variables)
	return &cmdline.Program{
		Name: "flashgate-loadtest", Description: description, Environ: environ, Out: out, Err: errOut,
		Foreign: func(variable string) bool { return slices.Contains(gates(), variable) },
	}
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(env *environment) error {
	_, err := fmt.Fprintln(env.out, "flashgate-loadtest", env.version)
	return err
}
