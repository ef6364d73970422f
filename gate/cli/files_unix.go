//go:build unix

package cli

import "syscall"

// openFiles returns how many files this process may have open, 0 where that is
// not known. Go has raised it to all that is allowed.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur)
}
