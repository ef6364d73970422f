package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// meter shows how far a command has come: in a terminal in one line, elsewhere in
// a line a second. The last of each phase is always shown.
type meter struct {
	out     io.Writer
	width   func() int // of the terminal; nil if out is no terminal
	phase   string
	line    string // told last
	shown   bool   // line was written
	written time.Time
}

func newMeter(out io.Writer) *meter {
	m := &meter{out: out}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		m.width = func() int {
			columns, _, err := term.GetSize(int(file.Fd()))
			if err != nil {
				return 80
			}
			return columns
		}
	}
	return m
}

// tell shows how far a phase has come. The text names what it counts.
func (m *meter) tell(phase, text string) {
	if phase != m.phase {
		m.end()
		m.phase, m.written = phase, time.Time{}
	}
	m.line, m.shown = phase, false
	if text != "" {
		m.line += " · " + text
	}
	if m.width != nil || time.Since(m.written) >= time.Second {
		m.write()
	}
}

func (m *meter) write() {
	m.shown, m.written = true, time.Now()
	if m.width == nil {
		fmt.Fprintln(m.out, m.line)
		return
	}
	line := []rune(m.line)
	fmt.Fprintf(m.out, "\r\x1b[K%s", string(line[:min(len(line), max(1, m.width()-1))]))
}

// end leaves the phase as it was told last, and begins a new line.
func (m *meter) end() {
	switch {
	case m.phase == "":
	case m.width != nil:
		fmt.Fprintln(m.out)
	case !m.shown:
		m.write()
	}
	m.phase = ""
}
