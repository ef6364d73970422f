package cmdline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// What of a flag's value is a secret, by the flag's tag "secret".
const (
	wholeSecret    = "value"    // all of it; a flag NAME-file takes it in a file
	passwordSecret = "password" // passwords in a URL; a flag NAME-password-file takes that of its user
	querySecret    = "query"    // the query of a URL, where some put tokens
)

// exposed is a secret on a command line, where whoever lists processes reads it.
type exposed struct {
	flag  *kong.Flag
	value string
	at, n int // it takes up n arguments from at on
}

// exposedSecrets finds the secrets on a command line. It reads the arguments before
// kong does, whose errors show what they are about.
func exposedSecrets(secrets map[string]*kong.Flag, args []string) (found []exposed) {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, value, joined := strings.Cut(arg, "=")
		flag := secrets[name]
		if flag == nil {
			continue
		}
		e := exposed{flag: flag, value: value, at: i, n: 1}
		if !joined && i+1 < len(args) {
			e.value, e.n = args[i+1], 2
		}
		if hasSecret(flag.Tag.Get("secret"), e.value) {
			found = append(found, e)
		}
	}
	return found
}

// secretFlags returns the flags of all commands whose value may be a secret, as they
// are written on a command line.
func secretFlags(k *kong.Kong) map[string]*kong.Flag {
	flags := map[string]*kong.Flag{}
	for _, command := range k.Model.Children {
		for _, flag := range command.Flags {
			if flag.Tag.Has("secret") {
				flags["--"+flag.Name] = flag
			}
		}
	}
	return flags
}

// hasSecret reports whether there is a secret in a value. An empty value has none; that
// it is empty is said elsewhere.
func hasSecret(kind, value string) bool {
	switch kind {
	case passwordSecret:
		return userPassword(value) != "" || otherPassword(value)
	case querySecret:
		return strings.Contains(value, "?")
	}
	return strings.TrimSpace(value) != ""
}

// userPassword returns the password of a URL's user, also where it is not encoded as it
// should be.
func userPassword(url string) string {
	_, rest, found := strings.Cut(url, "://")
	if !found {
		rest = url
	}
	user := rest[:max(0, strings.LastIndexByte(rest, '@'))]
	_, password, _ := strings.Cut(user, ":")
	return password
}

// otherPassword reports whether a URL has a password in its query, such as that of Sentinels.
func otherPassword(url string) bool { return strings.Contains(url, "password=") }

// refuseSecrets returns an error where a command line has secrets. It says where they
// belong, and shows nothing that was typed but the command's name.
func refuseSecrets(k *kong.Kong, args []string) error {
	found := exposedSecrets(secretFlags(k), args)
	if len(found) == 0 {
		return nil
	}
	var names, line, files []string
	others := len(args)
	for _, e := range found {
		others -= e.n
		if name := "--" + e.flag.Name; !slices.Contains(names, name) {
			names = append(names, name)
			line = append(line, e.flag.Envs[0]+"=...")
			files = append(files, e.file()...)
		}
	}
	line = append(line, k.Model.Name)
	if slices.ContainsFunc(k.Model.Children, func(c *kong.Node) bool { return c.Name == args[0] }) {
		line, others = append(line, args[0]), others-1
	}
	if others > 0 {
		line = append(line, "...")
	}
	said := fmt.Sprintf("%s: whoever lists this machine's processes reads a command line, so no secret may stand "+
		"there. Type instead:\n  %s",
		strings.Join(names, ", "), strings.Join(line, " "))
	if len(files) > 0 {
		said += "\nor give " + strings.Join(files, ", ") + " (- is standard input)"
	}
	return errors.New(said)
}

// file names the flag that takes the secret in a file; nil if there is no such flag.
func (e exposed) file() []string {
	switch e.flag.Tag.Get("secret") {
	case wholeSecret:
		return []string{"--" + e.flag.Name + "-file FILE"}
	case passwordSecret:
		if !otherPassword(e.value) {
			return []string{"--" + e.flag.Name + " without the password and --" + e.flag.Name + "-password-file FILE"}
		}
	}
	return nil
}
