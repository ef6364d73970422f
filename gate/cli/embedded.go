package cli

// embeddedRedis is what --redis says where the embedded store is meant.
const embeddedRedis = "embedded"

// embedded reports whether the gate keeps its sales in its own memory.
func (c *serveCommand) embedded() bool { return c.Redis == "" || c.Redis == embeddedRedis }

// real names a setting that nobody gives a gate for a look, or returns "": with
// one, a Redis that is not given was forgotten.
func (c *serveCommand) real() string {
	for _, setting := range []struct {
		what  string
		given bool
	}{
		{"--sales", c.Sales != ""},
		{"a signing key", c.keysFlag.given()},
		{"a webhook secret", c.WebhookSecret != nil || c.WebhookSecretFile != nil},
		{"a notify secret", c.NotifySecret != nil || c.NotifySecretFile != nil},
		{"an admin token", c.AdminToken != nil || c.AdminTokenFile != nil},
		{"a read token", c.AdminReadToken != nil || c.AdminReadTokenFile != nil},
		{"--admin-tls-cert", c.AdminTLSCert != ""},
		{"--public-url", c.PublicURL != ""},
		{"--portone-v1-key", c.PortoneV1Key != ""},
		{"a secret of PortOne V1", c.PortoneV1Secret != nil || c.PortoneV1SecretFile != nil},
		{"a secret of PortOne V2", c.PortoneV2Secret != nil || c.PortoneV2SecretFile != nil},
		{"--forward-webhooks", c.ForwardWebhooks != ""},
		{"--trusted-proxies", len(c.TrustedProxies) > 0},
		{"--allow-from", len(c.AllowFrom) > 0},
	} {
		if setting.given {
			return setting.what
		}
	}
	return ""
}
