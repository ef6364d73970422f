package testkit

import (
	"strings"

	"github.com/alecthomas/kong"
)

// SecretHider returns what moves the secrets of a program's command lines into variables, where
// our programs want them. Tests write them as flags, beside what they go with.
func SecretHider(program *kong.Kong) func(args []string) (environ, rest []string) {
	secrets := map[string]*kong.Flag{}
	for _, command := range program.Model.Children {
		for _, flag := range command.Flags {
			if flag.Tag.Has("secret") {
				secrets["--"+flag.Name] = flag
			}
		}
	}
	return func(args []string) (environ, rest []string) { return hide(secrets, args) }
}

func hide(secrets map[string]*kong.Flag, args []string) (environ, rest []string) {
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		flag := secrets[name]
		if flag != nil && !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch {
		case args[i] == "--":
			return environ, append(rest, args[i:]...)
		case flag == nil || value == "" || flag.Tag.Get("secret") != "value" && !strings.ContainsAny(value, "@?"):
			rest = append(rest, args[i])
			continue
		}
		environ = append(environ, flag.Envs[0]+"="+value)
		if !joined {
			i++
		}
	}
	return environ, rest
}
