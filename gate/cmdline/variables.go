package cmdline

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/flashgate/flashgate/gate"
)

// Prefix begins the variable of every flag.
const Prefix = "FLASHGATE_"

// variables are the settings of an environment. Kong would read the process's own,
// and take one that is empty, or that nothing reads, for one that was left out.
type variables struct {
	program *Program
	set     map[string]string // by name; trimmed
	owners  map[string]bool   // the variables of all flags of all commands
}

// readVariables picks the settings out of an environment, as os.Environ has it.
func readVariables(environ []string) map[string]string {
	set := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, Prefix) {
			set[name] = strings.TrimSpace(value)
		}
	}
	return set
}

// adopt learns which variables the flags have, and takes them away from kong.
func (v *variables) adopt(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			for _, name := range flag.Envs {
				v.owners[name] = true
			}
			flag.Value.Tag.Envs = nil
		}
		return next(nil)
	})
}

// helpWithVariable ends a flag's help with its variable.
func helpWithVariable(value *kong.Value) string {
	if value.Flag == nil || len(value.Flag.Envs) == 0 {
		return value.Help
	}
	return strings.TrimSuffix(value.Help, ".") + " ($" + strings.Join(value.Flag.Envs, ", $") + ")."
}

// resolve returns the value of a flag that the command line does not have.
func (v *variables) resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		text, set := v.set[name]
		if !set {
			continue
		}
		items := gate.Items(text)
		for _, item := range items {
			if strange := gate.Unprintable(item); strange != "" {
				return nil, fmt.Errorf("%s has %s, where only printable characters may be", name, strange)
			}
		}
		if flag.Target.Kind() == reflect.Slice {
			text = strings.Join(items, ",")
		}
		into := reflect.New(flag.Target.Type()).Elem()
		if into.Kind() == reflect.Pointer {
			into.Set(reflect.New(into.Type().Elem()))
		}
		scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text})
		if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, into); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return text, nil
	}
	return nil, nil
}

// check refuses what cannot have been meant: a setting of the command that is
// there and empty and, of a strict command, a variable that nothing reads. Other
// commands warn of what is not theirs, for they share an environment with gates.
func (v *variables) check(ctx *kong.Context, at *kong.Path) error {
	if at.App == nil { // kong asks at each command and flag of the line too
		return nil
	}
	strict, own := false, map[string]bool{}
	var wrong []error
	for _, path := range ctx.Path {
		strict = strict || path.Command != nil && path.Command.Name == v.program.Strict
		for _, flag := range path.Flags {
			for _, name := range flag.Envs {
				own[name] = true
			}
		}
		if path.Flag != nil && isEmpty(ctx.Value(path)) {
			wrong = append(wrong, fmt.Errorf("--%s is given and empty: give it a value, or leave the flag out",
				path.Flag.Name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.set)) {
		err := v.fault(name)
		switch {
		case err == nil:
		case strict || own[name]:
			wrong = append(wrong, err)
		default:
			fmt.Fprintf(v.program.Err, "%s: warning: %v\n", v.program.Name, err)
		}
	}
	return errors.Join(wrong...)
}

// fault says what is wrong with a variable that is set. It shows no value: it may
// be a secret under a name that was mistyped.
func (v *variables) fault(name string) error {
	value := v.set[name]
	known := v.owners[name] || v.program.Foreign != nil && v.program.Foreign(name)
	switch {
	case known && value == "":
		return fmt.Errorf("%s is set and empty, which is not the same as left out: give it a value, or leave it out "+
			"(in an env file: no such line; in Compose: its name without a value; in Kubernetes: optional: true at "+
			"the key of the Secret)", name)
	case known || serviceLink(name, value):
		return nil
	}
	return fmt.Errorf("%s is the variable of no flag: did you mean %s?", name,
		gate.Nearest(name, slices.Sorted(maps.Keys(v.owners)), 1)[0])
}

var serviceLinks = regexp.MustCompile(
	`^FLASHGATE_(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// serviceLink reports whether Kubernetes sets a variable by itself, in every pod
// beside a Service whose name begins with flashgate. A port by that name is an
// address there, such as tcp://10.0.0.1:8080; a number was set by somebody.
func serviceLink(name, value string) bool {
	return serviceLinks.MatchString(name) || strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}

// isEmpty reports whether a flag's value is a text, a file's path or a list of texts, in
// which there is nothing.
func isEmpty(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.Pointer:
		return isEmpty(value.Elem())
	case reflect.String:
		return strings.TrimSpace(value.String()) == ""
	case reflect.Struct:
		file, ok := value.Interface().(SecretFile)
		return ok && strings.TrimSpace(file.path) == ""
	case reflect.Slice:
		for i := range value.Len() {
			if !isEmpty(value.Index(i)) {
				return false
			}
		}
		return true
	}
	return false
}
