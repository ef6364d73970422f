//go:build !linux

package redistest

import "syscall"

// Other systems have no such signal: there a server outlives a test binary that
// is killed.
func dieWithParent() *syscall.SysProcAttr { return nil }
