package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a CA for one test. The files are in PEM.
type Authority struct {
	CA        string // file of its own certificate
	Cert, Key string // files of a certificate for a client, and its private key

	ServerCert, ServerKey string // files of a certificate for servers at 127.0.0.1, and its private key

	dir    string
	client *tls.Config // of a client with Cert
}

// NewAuthority makes a CA, and certificates for servers at 127.0.0.1 and for a
// client.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	dir := t.TempDir()
	a := &Authority{
		CA: filepath.Join(dir, "ca.crt"), Cert: filepath.Join(dir, "client.crt"), Key: filepath.Join(dir, "client.key"),
		ServerCert: filepath.Join(dir, "server.crt"), ServerKey: filepath.Join(dir, "server.key"), dir: dir,
	}
	if err := a.make(); err != nil {
		t.Fatalf("making certificates: %v", err)
	}
	return a
}

func (a *Authority) make() error {
	name := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}
	}
	root := name("authority")
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	rootKey, err := issue(root, root, nil, a.CA, filepath.Join(a.dir, "ca.key"))
	if err != nil {
		return err
	}
	// Servers are clients too: of their primary, and of each other in a Cluster.
	server := name("server")
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if _, err := issue(server, root, rootKey, a.ServerCert, a.ServerKey); err != nil {
		return err
	}
	client := name("client")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if _, err := issue(client, root, rootKey, a.Cert, a.Key); err != nil {
		return err
	}
	own, err := tls.LoadX509KeyPair(a.Cert, a.Key)
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(a.CA)
	if err != nil {
		return err
	}
	a.client = &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: x509.NewCertPool()}
	a.client.RootCAs.AppendCertsFromPEM(ca)
	return nil
}

// issue writes a certificate and its new private key. Without the key of the
// parent it signs itself.
func issue(cert, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, certFile,
	keyFile string,
) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if parentKey == nil {
		parentKey = key
	}
	certBytes, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, err
	}
	keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := writePEM(certFile, "CERTIFICATE", certBytes); err != nil {
		return nil, err
	}
	return key, writePEM(keyFile, "PRIVATE KEY", keyBytes)
}

func writePEM(path, kind string, bytes []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600)
}

// options make a server take only clients with a certificate, and use TLS too
// where it is a client itself.
func (a *Authority) options() [][2]string {
	return [][2]string{
		{"tls-ca-cert-file", a.CA},
		{"tls-cert-file", a.ServerCert},
		{"tls-key-file", a.ServerKey},
		{"tls-auth-clients", "yes"},
		{"tls-replication", "yes"},
		{"tls-cluster", "yes"},
	}
}
