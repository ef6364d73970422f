//go:build !linux

package bench

import "syscall"

// Other systems have no such signal, nor the /proc that CPU time is read from.
func dieWithParent() *syscall.SysProcAttr { return nil }
