package cli

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is one in two files that somebody else renews: it is read again
// when its file has changed. One that cannot be read leaves the old one in use.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	changed time.Time // of the file that was read
	current *tls.Certificate
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
