package main

import (
	"bytes"
	"testing"
	"time"
)

func TestProgressIsALineASecondAndTheLastOfEachPhase(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := newMeter(&out)
	m.tell("sending", "1 of 3 requests")
	m.tell("sending", "2 of 3 requests")
	m.written = m.written.Add(-2 * time.Second)
	m.tell("sending", "3 of 3 requests")
	m.tell("settling", "2 orders held")
	m.tell("settling", "1 orders held")
	m.tell("the gate audits the sale", "")
	m.end()
	m.end()
	want := "sending · 1 of 3 requests\nsending · 3 of 3 requests\nsettling · 2 orders held\nsettling · 1 orders " +
		"held\nthe gate audits the sale\n"
	if out.String() != want {
		t.Errorf("it shows\n%swant\n%s", out.String(), want)
	}
}

func TestProgressKeepsToOneLineOfATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := newMeter(&out)
	m.width = func() int { return 12 }
	m.tell("sending", "1 of 3 requests")
	m.tell("sending", "3 of 3")
	m.tell("settling", "")
	m.end()
	const anew = "\r\x1b[K"
	if want := anew + "sending · 1" + anew + "sending · 3" + "\n" + anew + "settling" + "\n"; out.String() != want {
		t.Errorf("it shows %q, want %q", out.String(), want)
	}
}
