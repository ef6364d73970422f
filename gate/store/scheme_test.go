package store

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/flashgate/flashgate/gate/redistest"
)

// An address with TLS for a port without, and the reverse, is told soon, with what
// to write instead.
func TestTheWrongSchemeIsNamed(t *testing.T) {
	t.Parallel()
	f := func(url, want string) {
		t.Helper()
		s, err := Open(url, Options{Timeout: 10 * time.Second, Log: slog.New(slog.DiscardHandler)})
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
