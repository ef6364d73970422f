package cli

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/cmdline"
	"github.com/flashgate/flashgate/gate/web"
)

// adminFlag is how serve is told about the operator's listener.
type adminFlag struct {
	AdminListen        string              `default:"127.0.0.1:9090" placeholder:"ADDR" help:"Where the operator's calls come in: /metrics, /v1/status, /v1/sales, /debug/pprof, /healthz, /readyz (${default}). Anything but loopback needs a token."`
	AdminToken         *string             `hidden:"" secret:"value"`
	AdminTokenFile     *cmdline.SecretFile `placeholder:"FILE" help:"File with the bearer tokens of those who may change sales and sign links, NAME:TOKEN with commas between; the ledger has their names. Or the tokens themselves in FLASHGATE_ADMIN_TOKEN."`
	AdminReadToken     *string             `hidden:"" secret:"value"`
	AdminReadTokenFile *cmdline.SecretFile `placeholder:"FILE" help:"File with the bearer tokens of those who may only look, such as Prometheus. Or the tokens themselves in FLASHGATE_ADMIN_READ_TOKEN."`
	AdminTLSCert       string              `name:"admin-tls-cert" placeholder:"FILE" help:"Serve the admin listener by TLS, with this certificate (PEM); it is read again when it changes."`
	AdminTLSKey        string              `name:"admin-tls-key" placeholder:"FILE" help:"The certificate's key (PEM)."`
	PublicURL          string              `placeholder:"URL" help:"Where PortOne reaches the gates, such as https://gate.example.com: the beginning of the links that the admin API signs."`
}

func (f *adminFlag) given() bool {
	return f.AdminToken != nil || f.AdminTokenFile != nil || f.AdminReadToken != nil || f.AdminReadTokenFile != nil
}

func (f *adminFlag) validate() error {
	switch {
	case !f.given() && !cmdline.Loopback(f.AdminListen):
		return fmt.Errorf("--admin-listen %s: whoever reaches it could change sales; set FLASHGATE_ADMIN_TOKEN "+
			"(openssl rand -hex 32), or listen on 127.0.0.1", f.AdminListen)
	case (f.AdminTLSCert == "") != (f.AdminTLSKey == ""):
		return errors.New("--admin-tls-cert and --admin-tls-key: give both")
	case f.PublicURL != "":
		if err := gate.CheckBaseURL(f.PublicURL); err != nil {
			return fmt.Errorf("--public-url: %w", err)
		}
	}
	return nil
}

// tokens returns those that are given. To give none is to let everybody in on
// this machine, and is taken for that only where nobody else reaches the listener.
func (f *adminFlag) tokens() (*web.Tokens, error) {
	if !f.given() && cmdline.Loopback(f.AdminListen) {
		return web.Anybody(), nil
	}
	tokens := &web.Tokens{}
	_, err := cmdline.Secret("admin-token", f.AdminToken, f.AdminTokenFile, func(text string) (*web.Tokens, error) {
		return tokens, tokens.AddOperators(text)
	})
	if err != nil {
		return nil, err
	}
	_, err = cmdline.Secret("admin-read-token", f.AdminReadToken, f.AdminReadTokenFile,
		func(text string) (*web.Tokens, error) {
			return tokens, tokens.AddReaders(text)
		})
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

// tls returns the admin listener's configuration, nil where it is not encrypted,
// and registers the end of its certificate.
func (f *adminFlag) tls(registry *prometheus.Registry) (*tls.Config, error) {
	if f.AdminTLSCert == "" {
		return nil, nil
	}
	c := &certificate{certFile: f.AdminTLSCert, keyFile: f.AdminTLSKey}
	if _, err := c.get(nil); err != nil {
		return nil, fmt.Errorf("--admin-tls-cert: %w", err)
	}
	registry.MustRegister(c.expiry())
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}
