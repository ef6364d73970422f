//go:build !unix

package cli

// HideSecrets does nothing here: other systems cannot start a program anew in
// the same process.
func HideSecrets(_, _ []string) {}
