package cmdline

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

// ReadAuthorities reads the certificates of those who sign others', from the file of a
// flag.
func ReadAuthorities(flag, path string) (*x509.CertPool, error) {
	text, err := ReadPEM(flag, path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--%s %s: there is no certificate in it", flag, path)
	}
	return pool, nil
}

// ReadPEM reads the file of a flag, in which there must be PEM.
func ReadPEM(flag, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	if block, _ := pem.Decode(text); block == nil {
		return nil, fmt.Errorf("--%s %s: there is no PEM in it (-----BEGIN …)", flag, path)
	}
	return text, nil
}
