package shop

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Nothing goes out unsigned, however it came that there is no secret.
func TestNoSecretsSignNothing(t *testing.T) {
	t.Parallel()
	replaced, err := ParseSecrets("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if err != nil {
		t.Fatal(err)
	}
	if err := replaced.sign(http.Header{}, "evt_1", time.Now(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	replaced.Replace(&Secrets{})
	for name, s := range map[string]*Secrets{"zero": {}, "replaced by zero": replaced} {
		h := http.Header{}
		if err := s.sign(h, "evt_1", time.Now(), []byte("{}")); err == nil ||
			!strings.Contains(err.Error(), "FLASHGATE_NOTIFY_SECRET") || len(h) > 0 {
			t.Errorf("%s: %v, %v", name, h, err)
		}
	}
}
