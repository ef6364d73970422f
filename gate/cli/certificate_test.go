package cli

import (
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flashgate/flashgate/gate/redistest"
)

func TestTheEndIsShownOfTheCertificateThatIsInUse(t *testing.T) {
	t.Parallel()
	begun := time.Now().Truncate(time.Second)
	authority := redistest.NewAuthority(t) // for an hour
	c := &certificate{certFile: authority.ServerCert, keyFile: authority.ServerKey}
	ends := func() time.Time { return time.Unix(int64(testutil.ToFloat64(c.expiry())), 0) }
	first := ends()
	if left := first.Sub(begun); left < time.Hour || left > time.Hour+time.Minute {
		t.Errorf("it ends %v after it was made, want an hour", left)
	}
	if err := os.WriteFile(c.certFile, []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(c.certFile, time.Time{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if broken := ends(); !broken.Equal(first) {
		t.Errorf("with a broken file %v is shown, want the end of the certificate before, %v", broken, first)
	}
}
