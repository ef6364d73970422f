package cmdline

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Secret reads a secret from its variable or from a file; giving both is an error. It returns nil
// if neither is given. An empty file is an error, because it must not leave the gate open.
func Secret[T any](flag string, value *string, file *SecretFile, parse func(string) (*T, error)) (*T, error) {
	name, text := SecretVariable(flag), ""
	switch {
	case value != nil && file != nil:
		return nil, fmt.Errorf("%s and --%s-file: give one of them", name, flag)
	case value != nil:
		text = *value
	case file != nil:
		name = fmt.Sprintf("--%s-file %s", flag, file.path)
		read, err := file.read()
		if err != nil {
			return nil, fmt.Errorf("--%s-file: %w", flag, err)
		}
		text = string(read)
	default:
		return nil, nil
	}
	if text = strings.TrimSpace(text); text == "" {
		return nil, fmt.Errorf("%s: there is nothing in it", name)
	}
	parsed, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parsed, nil
}

// SecretText is Secret without parsing.
func SecretText(flag string, value *string, file *SecretFile) (*string, error) {
	return Secret(flag, value, file, func(text string) (*string, error) { return &text, nil })
}

// SecretVariable returns the variable of a flag that takes a secret.
func SecretVariable(flag string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// maxSecret bounds a file with a secret, in bytes: whoever names another one by
// mistake learns that at once.
const maxSecret = 64 << 10

// SecretFile is a file with a secret, or standard input.
type SecretFile struct {
	path  string // - is standard input
	input []byte // what standard input had: it can be read once
}

// UnmarshalText takes the file's path.
func (f *SecretFile) UnmarshalText(path []byte) error {
	f.path = string(path)
	return nil
}

// IsFile reports whether a file is given that can be read again: not standard input.
func (f *SecretFile) IsFile() bool { return f != nil && f.path != "-" }

// read returns what is in it now.
func (f *SecretFile) read() (text []byte, err error) {
	if f.path == "-" && f.input != nil {
		return f.input, nil
	}
	in, err := OpenInput(f.path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	switch text, err = io.ReadAll(io.LimitReader(in, maxSecret+1)); {
	case err != nil:
		return nil, err
	case len(text) > maxSecret:
		return nil, fmt.Errorf("%s has more than %d bytes: is it the file with the secret?", f.path, maxSecret)
	case f.path == "-":
		f.input = text
	}
	return text, nil
}

// OpenInput opens a file, or standard input where path is "-".
func OpenInput(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(path)
}
