package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/flashgate/flashgate/gate"
)

// keysFlag is how commands get the keys that links are signed with.
type keysFlag struct {
	SigningKey     string `placeholder:"ID:BASE64,…" help:"Keys that confirm links are signed with: the first signs, all verify. Better in FLASHGATE_SIGNING_KEY or a file than here, where the process list shows it."`
	SigningKeyFile string `placeholder:"FILE" help:"File with the keys, in the same form."`
}

// keys returns nil where none are given.
func (f *keysFlag) keys() (*gate.Keys, error) {
	switch {
	case f.SigningKey != "" && f.SigningKeyFile != "":
		return nil, errors.New("--signing-key and --signing-key-file: give one of them")
	case f.SigningKey != "":
		k, err := gate.ParseKeys(f.SigningKey)
		if err != nil {
			return nil, fmt.Errorf("--signing-key: %w", err)
		}
		return k, nil
	case f.SigningKeyFile != "":
		text, err := os.ReadFile(f.SigningKeyFile)
		if err != nil {
			return nil, fmt.Errorf("--signing-key-file: %w", err)
		}
		k, err := gate.ParseKeys(string(text))
		if err != nil {
			return nil, fmt.Errorf("--signing-key-file %s: %w", f.SigningKeyFile, err)
		}
		return k, nil
	}
	return nil, nil
}
