package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

// play runs a demo as a process of its own, and returns what it wrote.
func play(t *testing.T, flags ...string) (out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "flashgate-loadtest",
		append([]string{"demo", "--tickets", "40", "--buyers", "600", "--rate", "200"}, flags...)...)
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &o, &e)
	}
	return o.String(), e.String()
}

// It runs alone, as the next one does: a ticket that comes back is sold again only while
// buyers come.
func TestTheDemoEndsWithEveryTicketPaid(t *testing.T) {
	page := filepath.Join(t.TempDir(), "report.html")
	out, errOut := play(t, "--html", page)
	if !regexp.MustCompile(`^40 of 40 sold, 0 oversold, [1-9]\d* declined tickets sold again\n`).MatchString(out) {
		t.Errorf("it begins with\n%.100s", out)
	}
	for _, want := range []string{"0 left, 0 held, 40 paid of 40", "\nPASS\n", "0 differ from what PortOne was paid"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if !strings.Contains(errOut, "the report: "+page) || strings.Contains(errOut, "level=ERROR") {
		t.Errorf("it says\n%s", errOut)
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("PASS")) ||
		!bytes.Contains(text, []byte("left in Redis: 40 at first, 0 at the lowest, 0 at the end")) {
		t.Errorf("the page is %.100s, %v", text, err)
	}
}

// With a last word every ticket is paid in the end too, and no 200 went out without
// the shop's yes.
func TestTheDemoAsksTheShop(t *testing.T) {
	out, errOut := play(t, "--shop-refuses", "0.3", "--html", filepath.Join(t.TempDir(), "report.html"))
	for _, want := range []string{
		"40 of 40 sold", "\nPASS\n", " were told 200 before the shop had said yes",
		"shop_refused",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if !strings.Contains(errOut, "says no to 30% of them") {
		t.Errorf("it says\n%s", errOut)
	}
}

func TestTheDemoEndsWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("flashgate-loadtest", "demo", "--rate", "200")
	p := redistest.StartProgram(t, cmd)
	await(t, "the launch", func() error {
		if !strings.Contains(p.Log(), "orders told 200") && p.Running() {
			return errors.New("it has not begun")
		}
		return nil
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	await(t, "the demo to end", func() error {
		if p.Running() {
			return errors.New("it runs")
		}
		return nil
	})
	if status := cmd.ProcessState.ExitCode(); status != 1 ||
		!strings.Contains(p.Log(), "interrupted: everything is stopped") {
		t.Errorf("status %d\n%s", status, p.Log())
	}
}
