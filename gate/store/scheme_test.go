package store

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flashgate/flashgate/gate/redistest"
)

// An address with TLS for a port without, and the reverse, is told soon, with what
// to write instead.
func TestTheWrongSchemeIsNamed(t *testing.T) {
	t.Parallel()
	f := func(url, want string) {
		t.Helper()
		s, err := Open(url, Deps{Log: slog.New(slog.DiscardHandler)}, Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		began := time.Now()
		_, sales := s.Sales(t.Context())
		for _, err := range []error{sales, s.Check(t.Context())} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("that took %v", took)
		}
	}
	plain, secure := redistest.Start(t), redistest.StartTLS(t, redistest.NewAuthority(t))
	f(strings.Replace(plain.URL(), "redis://", "rediss://", 1), "write redis instead of rediss")
	f(strings.Replace(secure.URL(), "rediss://", "redis://", 1), "write rediss instead of redis")
}

// Only a server that has never answered is told of so, whichever way it hangs up.
func TestTheSchemeIsDoubtedUntilACallWasAnswered(t *testing.T) {
	t.Parallel()
	h := &schemeHint{}
	f := func(fails error, hinted bool) {
		t.Helper()
		err := h.ProcessHook(func(context.Context, redis.Cmder) error { return fails })(t.Context(), nil)
		if !errors.Is(err, fails) ||
			hinted != (err != nil && strings.Contains(err.Error(), "write rediss instead of redis")) {
			t.Errorf("%v: got %v", fails, err)
		}
	}
	f(io.EOF, true)
	f(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, true)
	f(syscall.ECONNREFUSED, false)
	f(context.DeadlineExceeded, false)
	f(redis.Nil, false)
	f(io.EOF, true)
	f(nil, false)
	f(io.EOF, false)
}

// Some servers answer TLS' greeting with an error in plain text.
func TestAServerThatAnswersTLSInPlainTextIsNamed(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		_, _ = far.Read(make([]byte, 1<<16)) // all that it greets with
		_, _ = far.Write([]byte("-ERR unknown command\r\n"))
		far.Close()
	}()
	if err := greet(t.Context(), tls.Client(near, &tls.Config{ServerName: "redis"})); err == nil ||
		!strings.Contains(err.Error(), "write redis instead of rediss") {
		t.Error(err)
	}
}
