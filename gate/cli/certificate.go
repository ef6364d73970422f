package cli

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// certificate is one in two files that somebody else renews: it is read again
// when its file has changed. One that cannot be read leaves the old one in use.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	changed time.Time // of the file that was read
	current *tls.Certificate
}

// expiry shows when the certificate ends that is in use. There is one: serve does
// not start without.
func (c *certificate) expiry() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flashgate_admin_certificate_expiry_timestamp_seconds", Help: "End of the admin listener's certificate.",
	}, func() float64 {
		current, err := c.get(nil)
		if err != nil {
			return 0
		}
		return float64(current.Leaf.NotAfter.Unix())
	})
}

// get implements tls.Config's GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.certFile)
	if err == nil && c.current != nil && info.ModTime().Equal(c.changed) {
		return c.current, nil
	}
	if err == nil {
		var read tls.Certificate
		if read, err = tls.LoadX509KeyPair(c.certFile, c.keyFile); err == nil {
			c.current, c.changed = &read, info.ModTime()
		}
	}
	if c.current == nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return c.current, nil
}
