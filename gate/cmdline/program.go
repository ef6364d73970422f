// Package cmdline is shared by the command lines of the gate and of the rehearsal program: flags
// with a variable each, exit statuses, ending on a signal, and the log.
package cmdline

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"
)

// Program is a program with commands.
type Program struct {
	Name        string
	Description string    // what --help begins with
	Vars        kong.Vars // what the help of flags refers to
	Environ     []string  // the environment that it was started in, as os.Environ has it
	Out, Err    io.Writer

	// Strict names the command that does not start while a variable is set that
	// nothing reads. The others warn of it.
	Strict string
	// Foreign reports whether a variable is a setting of another program, which
	// may share the environment. Nil: none is.
	Foreign func(variable string) bool
}

// Settings returns the settings in the program's environment by their variables'
// names, without the space around them.
func (p *Program) Settings() map[string]string { return readVariables(p.Environ) }

// Variables returns the names of the variables that the flags of the commands have, in the order of the alphabet. The
// commands are a pointer to a struct with kong's tags. If the tags are wrong, so that no command line can be parsed, it
// returns none.
func (p *Program) Variables(commands any) []string {
	_, v, err := p.parser(commands, func(int) {})
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(v.owners))
}

// Parser returns the parser of the program's command lines, which calls exit where it
// has printed the help. It binds what commands' Run functions ask for.
func (p *Program) Parser(commands any, exit func(status int), bind ...any) (*kong.Kong, error) {
	parser, _, err := p.parser(commands, exit, bind...)
	return parser, err
}

// Main runs a command line, and returns the exit status: 0 done, 1 it could not be
// done, 2 the command line or a setting is wrong. The first signal to end (SIGINT,
// SIGTERM) ends the context that commands are bound to, the second the program.
func (p *Program) Main(commands any, args []string, bind ...any) int {
	exited := -1
	parser, err := p.Parser(commands, func(status int) { exited = status }, bind...)
	if err != nil {
		return p.fails(2, err)
	}
	if err := refuseSecrets(parser, args); err != nil {
		return p.fails(2, err)
	}
	command, err := parser.Parse(args)
	switch {
	case exited >= 0: // --help has answered
		return exited
	case err != nil:
		return p.fails(2, fmt.Errorf("%w\nTry: %s --help", err, p.Name))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(); err != nil {
		return p.fails(1, err)
	}
	return 0
}

func (p *Program) fails(status int, err error) int {
	fmt.Fprintf(p.Err, "%s: %v\n", p.Name, err)
	return status
}

func (p *Program) parser(commands any, exit func(status int), bind ...any) (*kong.Kong, *variables, error) {
	v := &variables{program: p, set: p.Settings(), owners: map[string]bool{}}
	k, err := kong.New(commands,
		kong.Name(p.Name), kong.Description(p.Description), p.Vars, kong.Bind(bind...),
		kong.Writers(p.Out, p.Err), kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Exit(exit),
		kong.DefaultEnvars("FLASHGATE"), kong.ValueFormatter(helpWithVariable),
		kong.Resolvers(kong.ResolverFunc(v.resolve)), kong.WithBeforeResolve(v.check),
	)
	if err != nil {
		return nil, nil, err
	}
	return k, v, v.adopt(k)
}

// NewLog returns a log of texts or, by the format json, of JSON.
func NewLog(w io.Writer, format string, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
