package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestTheDemoEndsWithEveryTicketPaid(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "report.html")
	p := startProcess(t, "flashgate", "demo", "--tickets", "40", "--buyers", "600", "--rate", "200", "--html", page)
	if status := p.wait(t); status != 0 {
		t.Fatalf("status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
	}
	if !regexp.MustCompile(`^40 of 40 sold, 0 oversold, [1-9]\d* declined tickets sold again\n`).MatchString(p.stdout.String()) {
		t.Errorf("it begins with\n%.100s", p.stdout.String())
	}
	for _, want := range []string{"0 left, 0 held, 40 paid of 40", "\nPASS\n", "0 differ from what PortOne was paid"} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("%q is not in\n%s", want, p.stdout.String())
		}
	}
	if said := p.stderr.String(); !strings.Contains(said, "the report: "+page) || strings.Contains(said, "level=ERROR") {
		t.Errorf("it says\n%s", said)
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("PASS")) || !bytes.Contains(text, []byte("left in Redis: 40 at first, 0 at the lowest, 0 at the end")) {
		t.Errorf("the page is %.100s, %v", text, err)
	}
}

// With a last word every ticket is paid in the end too, and no 200 went out without
// the shop's yes. It runs alone: what the shop refuses is sold again only while buyers
// come.
func TestTheDemoAsksTheShop(t *testing.T) {
	p := startProcess(t, "flashgate", "demo", "--tickets", "40", "--buyers", "600", "--rate", "200", "--shop-refuses", "0.3", "--html", filepath.Join(t.TempDir(), "report.html"))
	if status := p.wait(t); status != 0 {
		t.Fatalf("status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
	}
	said := p.stdout.String()
	for _, want := range []string{"40 of 40 sold", "\nPASS\n", " were told 200 before the shop had said yes", "shop_refused"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	if !strings.Contains(p.stderr.String(), "says no to 30% of them") {
		t.Errorf("it says\n%s", p.stderr.String())
	}
}

func TestTheDemoEndsWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "flashgate", "demo", "--rate", "200")
	await(t, "the launch", func() error {
		if !strings.Contains(p.stderr.String(), "orders told 200") && !p.ended() {
			return os.ErrNotExist
		}
		return nil
	})
	p.signal(t, syscall.SIGINT)
	if status := p.wait(t); status != 1 || !strings.Contains(p.stderr.String(), "interrupted: everything is stopped") {
		t.Errorf("status %d\n%s", status, p.stderr.String())
	}
}
