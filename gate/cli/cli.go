// Package cli is the command line: one file for each command. It owns the
// flags, the wiring and the metrics registry.
package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/store"
)

const description = `A gate in front of payments: it answers PortOne's confirm call with 200 while there is stock.

Every flag has an environment variable: --wait-replicas is FLASHGATE_WAIT_REPLICAS. Only what agrees to a loss (--drop-held,
--drop-paid, --drop-undelivered, --archived, --open-now) has none. A setting that is there and empty is an error: leave it out.

Secrets, and a Redis address with a password, come from their variable or from a file (--signing-key-file FILE, where - is
standard input). They are refused on the command line, which others can read.`

type commands struct {
	Serve       serveCommand       `cmd:"" help:"Answer confirm calls. Without --redis: on an embedded store, with a demo sale."`
	Apply       applyCommand       `cmd:"" help:"Create or change the sales of a file. Safe in the middle of a sale. The same file again changes nothing."`
	Sign        signCommand        `cmd:"" help:"Print a signed confirm link."`
	Status      statusCommand      `cmd:"" help:"Show a sale's units and orders."`
	Order       orderCommand       `cmd:"" help:"Show what happened to one order, from the ledger."`
	Refunds     refundsCommand     `cmd:"" help:"List the refunds that a sale owes, and what each waits for; release the brake on refunds."`
	Refund      refundCommand      `cmd:"" help:"Try an order's refund again, to the buyer's bank account if one is given."`
	Undelivered undeliveredCommand `cmd:"" help:"List the changes of a sale that the shop has not taken; send them now."`
	Disputes    disputesCommand    `cmd:"" help:"List the payments of a sale that buyers dispute or that card companies have taken back."`
	Recheck     recheckCommand     `cmd:"" help:"Look an order, or all orders of a sale, up at PortOne again."`
	Aside       asideCommand       `cmd:"" help:"List the orders of a sale that are set aside because they fail by themselves; try them now."`
	Ledger      ledgerCommand      `cmd:"" help:"Print a sale's ledger as JSON lines."`
	Audit       auditCommand       `cmd:"" help:"Recount a sale, and compare it with PortOne."`
	Archive     archiveCommand     `cmd:"" help:"Write a finished sale to a file, and remove it."`
	Pause       pauseCommand       `cmd:"" help:"Refuse new orders until resume. Held orders can still be paid."`
	Resume      resumeCommand      `cmd:"" help:"Let a paused sale go on."`
	Delete      deleteCommand      `cmd:"" help:"Delete a sale and all its orders."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a gate whether it is ready; the exit status tells."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// environment is what commands use of the world.
type environment struct {
	out, err io.Writer
	person   io.Reader                  // who sits at the terminal; nil where nobody does
	screen   func() (width, height int) // of the terminal that out is; nil where it is none
	version  string

	variables map[string]string // the settings of the environment that the program was started in
}

// setting returns what the environment says of a setting, by its variable's name
// without what all begin with; empty where it says nothing.
func (e *environment) setting(name string) string { return e.variables[cmdline.Prefix+name] }

// has reports whether the environment says anything of one of these settings.
func (e *environment) has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return e.setting(name) != "" })
}

// Main runs the command line, with the settings of an environment as os.Environ
// has it, and returns the exit status: 0 done, 1 it could not be done, 2 the
// command line or a setting is wrong.
func Main(args, environ []string, out, errOut io.Writer, version string) int {
	program := newProgram(environ, out, errOut)
	if err := moved(args); err != nil {
		fmt.Fprintln(errOut, "flashgate:", err)
		return 2
	}
	env := &environment{out: out, err: errOut, version: version, variables: program.Settings()}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		env.person = os.Stdin
	}
	if file, isFile := out.(*os.File); isFile && !slices.Contains(environ, "TERM=dumb") {
		env.screen = screen(int(file.Fd()))
	}
	return program.Main(&commands{}, args, env)
}

// screen returns what measures a terminal; nil where the descriptor is none.
func screen(fd int) func() (width, height int) {
	if !term.IsTerminal(fd) {
		return nil
	}
	return func() (width, height int) {
		width, height, err := term.GetSize(fd)
		if err != nil || width < 1 || height < 1 {
			return 80, 24
		}
		return width, height
	}
}

// simulatorPrefix begins the variables that only the simulated PortOne of the rehearsal
// program reads: what is set for a gate must not reach it.
const simulatorPrefix = cmdline.Prefix + "SIM_"

func newProgram(environ []string, out, errOut io.Writer) *cmdline.Program {
	return &cmdline.Program{
		Name: "flashgate", Description: description, Environ: environ, Out: out, Err: errOut, Strict: "serve",
		Foreign: func(variable string) bool { return strings.HasPrefix(variable, simulatorPrefix) },
		Vars: kong.Vars{
			"addresses": store.AddressForms, "who": who(),
			"redis_timeout": defaultRedisTimeout.String(), "wait_timeout": defaultWaitTimeout.String(),
		},
	}
}

// redisFlag is how the commands other than serve find the sales.
type redisFlag struct {
	Redis string `required:"" placeholder:"URL" secret:"password" help:"Redis with the sales: ${addresses}."`
	redisAccess
	By string `default:"${who}" placeholder:"WHO" help:"Who does it, for the ledger (${default})."`
}

// commandTimeout bounds one call of a command to Redis.
const commandTimeout = 10 * time.Second

// with opens the store for one command.
func (f *redisFlag) with(env *environment, do func(*store.Store) error) error {
	return f.waiting(env, &replicasFlag{}, do)
}

// waiting opens the store for one command whose changes are waited for.
func (f *redisFlag) waiting(env *environment, replicas *replicasFlag, do func(*store.Store) error) error {
	if f.By == "" || !gate.ValidID(f.By) {
		return fmt.Errorf("--by %q: %s", f.By, gate.WantID)
	}
	if f.Redis == embeddedRedis {
		return errors.New("--redis embedded: only serve has a store of its own; its log says at which address other " +
			"commands reach it")
	}
	options := store.Options{Who: f.By, Timeout: commandTimeout}
	var err error
	if options.Credentials, err = f.redisAccess.read(); err != nil {
		return err
	}
	if err := replicas.set(&options); err != nil {
		return err
	}
	s, err := store.Open(f.Redis, store.Deps{Log: cmdline.NewLog(env.err, "text", slog.LevelWarn)}, options)
	if err != nil {
		return fmt.Errorf("--redis: %w", err)
	}
	return errors.Join(do(s), s.Close())
}

// changeFlag is redisFlag of the commands that change something.
type changeFlag struct {
	redisFlag
	replicasFlag
}

// with opens the store for one command.
func (f *changeFlag) with(env *environment, do func(*store.Store) error) error {
	return f.waiting(env, &f.replicasFlag, do)
}

// replicasFlag is how long a change is waited for.
type replicasFlag struct {
	WaitReplicas int           `placeholder:"N" help:"Wait until N replicas have the change, so that a failover does not forget it; exit status 1 if they do not have it in time. Best set for gates and commands alike."`
	WaitTimeout  time.Duration `default:"2s" help:"How long the replicas get (${default})."`
}

// set puts them into the options.
func (f *replicasFlag) set(o *store.Options) error {
	switch {
	case f.WaitReplicas < 0:
		return fmt.Errorf("--wait-replicas %d: must be 0 (do not wait) or more", f.WaitReplicas)
	case f.WaitReplicas == 0:
		return nil
	case f.WaitTimeout < 10*time.Millisecond || f.WaitTimeout > time.Minute:
		return fmt.Errorf("--wait-timeout %s: must be between 10ms and 1m", f.WaitTimeout)
	}
	o.WaitReplicas, o.WaitTimeout = f.WaitReplicas, f.WaitTimeout
	return nil
}

// who names the person at the keyboard for the ledger.
func who() string {
	name, host := "unknown", "localhost"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	w := name + "@" + host
	if !gate.ValidID(w) {
		return name[:min(len(name), gate.MaxID)]
	}
	return w
}
