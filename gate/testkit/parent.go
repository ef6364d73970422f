package testkit

import (
	"os"
	"time"
)

// EndWithParent ends this process once its parent has ended, so that a test binary that is killed leaves no program
// behind. It returns at once.
func EndWithParent() {
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(200 * time.Millisecond)
		}
		os.Exit(3)
	}()
}
