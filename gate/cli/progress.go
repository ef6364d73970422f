package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
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

// meter shows how far a command has come of what is known to be ahead of it: a
// bar in a terminal, elsewhere a line a second.
type meter struct {
	out   io.Writer
	total int
	bar   *progressbar.ProgressBar // nil where out is no terminal
	told  time.Time
}

func newMeter(out io.Writer, total int) *meter {
	m := &meter{out: out, total: total, told: time.Now()}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		m.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionUseANSICodes(true))
	}
	return m
}

// tell shows that so many are done, and a text beside it.
func (m *meter) tell(done int, text string) {
	switch {
	case m.bar != nil:
		m.bar.Describe(text)
		_ = m.bar.Set(done) // it cannot be more than its total
	case time.Since(m.told) >= time.Second || done == m.total:
		m.told = time.Now()
		fmt.Fprintf(m.out, "%d of %d: %s\n", done, m.total, text)
	}
}

// end leaves the bar as it is, and begins a new line.
func (m *meter) end() {
	if m.bar != nil {
		fmt.Fprintln(m.out)
	}
}
