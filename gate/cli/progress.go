package cli

import (
	"fmt"
	"io"
	"time"
)

// progressTo writes how far a command has come in what it reads, once a second.
func progressTo(w io.Writer) func(what string, read int64) {
	started, told := time.Now(), time.Now()
	return func(what string, read int64) {
		if time.Since(told) < time.Second {
			return
		}
		told = time.Now()
		fmt.Fprintf(w, "read %d %s in %s\n", read, what, time.Since(started).Round(time.Second))
	}
}
