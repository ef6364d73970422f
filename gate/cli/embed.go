package cli

import (
	"context"
	"io"
	"net"
)

// Serve runs a gate inside of another program, until ctx is done: the command serve with
// these flags, and the settings of an environment as os.Environ has it. Once it serves it
// tells started its public and its admin address. Its log goes to errOut.
func Serve(ctx context.Context, flags, environ []string, errOut io.Writer, version string,
	started func(public, admin net.Addr),
) error {
	var c commands
	program := newProgram(environ, io.Discard, errOut)
	parser, err := program.Parser(&c, func(int) {})
	if err != nil {
		return err
	}
	if _, err := parser.Parse(append([]string{"serve"}, flags...)); err != nil {
		return err
	}
	env := &environment{out: io.Discard, err: errOut, version: version, variables: program.Settings()}
	return c.Serve.serve(ctx, env, nil, started)
}

// Variables returns the names of the variables that the gate's commands read, for
// programs that may share an environment with gates.
func Variables() []string { return newProgram(nil, io.Discard, io.Discard).Variables(&commands{}) }
