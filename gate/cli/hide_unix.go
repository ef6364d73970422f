//go:build unix

package cli

import (
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/flashgate/flashgate/gate/cmdline"
)

// HideSecrets keeps secrets out of the list of processes: where the command line
// has one, the program starts itself anew with it in the environment, which only
// its user can read. It returns if there is none, or if that cannot be done.
func HideSecrets(args, environ []string) {
	rest, moved := moveSecrets(args)
	if len(moved) == 0 {
		return
	}
	if program, err := os.Executable(); err == nil {
		_ = syscall.Exec(program, rest, withVariables(environ, moved)) // returns only where it failed
	}
}

// withVariables sets variables in an environment.
func withVariables(environ, variables []string) []string {
	name := func(v string) string { return v[:strings.IndexByte(v, '=')+1] }
	kept := slices.DeleteFunc(slices.Clone(environ), func(old string) bool {
		return slices.ContainsFunc(variables, func(v string) bool { return name(v) == name(old) })
	})
	return append(kept, variables...)
}

// moveSecrets splits a command line into what may be seen and secrets, in the
// form of environment variables.
func moveSecrets(args []string) (rest, moved []string) {
	secret := []string{"signing-key", "webhook-secret", "notify-secret", "admin-token", "admin-read-token", "portone-v1-secret", "portone-v2-secret", "redis", "forward-webhooks"}
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(rest, args[i:]...), moved
		}
		name, value, inOne := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		if !strings.HasPrefix(args[i], "--") || !slices.Contains(secret, name) || !inOne && i+1 == len(args) {
			rest = append(rest, args[i])
			continue
		}
		if !inOne {
			i++
			value = args[i]
		}
		// An address without a password or a token is no secret. What is empty stays, to be refused by the name that was given.
		if name == "redis" && !strings.Contains(value, "@") || name == "forward-webhooks" && !strings.Contains(value, "?") || strings.TrimSpace(value) == "" {
			rest = append(rest, "--"+name+"="+value)
			continue
		}
		moved = append(moved, cmdline.Prefix+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"="+value)
	}
	return rest, moved
}
